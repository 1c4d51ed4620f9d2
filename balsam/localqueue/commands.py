"""The commands of the local queue: words in, lines of JSON out, the last of which counts the others."""

import argparse
import json
import os
import signal
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from balsam.config import user_settings
from balsam.localqueue.keeper import keep
from balsam.localqueue.ledger import Entry, Ledger, default_path
from balsam.localqueue.turns import take_turns

__all__ = ["main"]

_SHOWN = ("id", "name", "project", "queue", "num_nodes", "wall_time_min", "script", "state", "end", "reason")
_TIMES = ("submitted", "started", "ended")


def main(argv: Sequence[str]) -> int:
    """Run one command; return its exit code."""
    options = _parser().parse_args(argv)
    options.slots = options.slots or user_settings().LOCAL_QUEUE_SLOTS
    with Ledger(options.ledger) as ledger:
        code: int = options.run(ledger, options)
        take_turns(ledger, options.slots)
    return code


def _submit(ledger: Ledger, options: argparse.Namespace) -> int:
    problem = _problem(options)
    if problem:
        print(f"refused: {problem}", file=sys.stderr)
        return 1
    names = ("name", "project", "queue", "num_nodes", "wall_time_min", "script", "cwd", "output")
    print(ledger.add({name: getattr(options, name) for name in names}, os.environ))
    return 0


def _problem(options: argparse.Namespace) -> str:
    """Say why a batch job cannot be taken; '' when it can."""
    if options.num_nodes < 1 or not options.wall_time_min > 0:
        return f"{options.num_nodes} nodes for {options.wall_time_min:g} min: both are to be positive"
    if not os.access(options.script, os.X_OK):
        return f"{options.script} is missing, or not executable"
    if not os.path.isdir(options.cwd):
        return f"{options.cwd} is no directory"
    return ""


def _status(ledger: Ledger, options: argparse.Namespace) -> int:
    take_turns(ledger, options.slots)
    return _show(ledger.entries())


def _history(ledger: Ledger, options: argparse.Namespace) -> int:
    found = ledger.entries(ended_since=options.since)
    wanted = {int(text) for text in options.ids}
    return _show(
        entry for entry in found if entry.id in wanted or (options.name and entry.name == options.name)
    )


def _cancel(ledger: Ledger, options: argparse.Namespace) -> int:
    with ledger.alone():
        entry = ledger.get(options.id)
        if entry is not None and entry.state != "finished":
            ledger.ask_to_end(entry.id)
    if entry is None or entry.state == "finished":
        print(f"no such batch job: {options.id}", file=sys.stderr)
        return 1
    if entry.identity is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(entry.identity.pid, signal.SIGTERM)
    print(options.id)
    return 0


def _free(ledger: Ledger, options: argparse.Namespace) -> int:
    taken = sum(min(entry.num_nodes, options.slots) for entry in ledger.entries())
    print(max(0, options.slots - taken))
    return 0


def _time_left(ledger: Ledger, options: argparse.Namespace) -> int:
    entry = ledger.get(options.id)
    if entry is None or entry.started is None or entry.state != "running":
        print(f"no such running batch job: {options.id}", file=sys.stderr)
        return 1
    print(entry.started + entry.wall_time_min * 60 - time.time())
    return 0


def _keep(ledger: Ledger, options: argparse.Namespace) -> int:
    keep(ledger, options.id, options.launch)
    return 0


def _show(entries: Iterable[Entry]) -> int:
    rows = [{name: getattr(entry, name) for name in (*_SHOWN, *_TIMES)} for entry in entries]
    for row in (*rows, {"count": len(rows)}):
        print(json.dumps(row))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m balsam.localqueue", allow_abbrev=False)
    commands = parser.add_subparsers(required=True)

    def command(name: str, run: object) -> argparse.ArgumentParser:
        added = commands.add_parser(name, allow_abbrev=False)
        added.add_argument("--slots", type=int, default=0)
        added.add_argument("--ledger", type=Path, default=default_path())
        added.set_defaults(run=run)
        return added

    submit = command("submit", _submit)
    for text in ("name", "project", "queue", "cwd", "output"):
        submit.add_argument(f"--{text}", default="")
    submit.add_argument("--num-nodes", type=int, required=True)
    submit.add_argument("--wall-time-min", type=float, required=True)
    submit.add_argument("script")
    command("status", _status)
    history = command("history", _history)
    history.add_argument("--since", type=float, required=True)
    history.add_argument("--name", default="")
    history.add_argument("ids", nargs="*")
    command("free", _free)
    for name, run in (("cancel", _cancel), ("time-left", _time_left)):
        command(name, run).add_argument("id", type=int)
    keeper = command("keep", _keep)
    keeper.add_argument("id", type=int)
    keeper.add_argument("launch", type=int)
    return parser
