"""An allocation divided into parts: a launcher of its own runs on the nodes of each."""

import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType

from balsam.exceptions import UsageError

__all__ = ["commands_of", "run_together"]

_BALSAM = "from balsam.cli.main import main; main()"


def commands_of(parts: Sequence[str], minutes: float, limit: int | None, offset: int) -> list[list[str]]:
    """Return the command of each part's launcher; they take the nodes in order. Raises UsageError."""
    commands, first = [], offset
    for part in parts:
        mode, nodes, tags = _read(part)
        command = [sys.executable, "-P", "-c", _BALSAM, "launcher", "-j", mode, "-t", str(minutes)]
        command += ["--consume-all", "--ignore-failures"]
        command += [f"--limit-nodes={nodes}", f"--offset-nodes={first}"]
        commands.append([*command, *(word for tag in tags for word in ("--tag", tag))])
        first += nodes
    if limit is not None and first - offset > limit:
        raise UsageError(f"The parts need {first - offset} nodes, and --limit-nodes is {limit}.")
    return commands


def _read(part: str) -> tuple[str, int, list[str]]:
    mode, _, rest = part.partition(":")
    count, *tags = rest.split(":")
    is_count = count.isdecimal() and int(count) > 0
    if mode not in ("serial", "mpi") or not is_count or not all("=" in tag for tag in tags):
        raise UsageError(f"The part {part!r} is not in the format MODE:NODES[:KEY=VALUE...].")
    return mode, int(count), tags


def run_together(commands: Sequence[Sequence[str]]) -> int:
    """Run commands beside one another to their ends; return the largest exit code.

    What is asked of this process by a signal is asked of each of them.
    """
    processes: list[subprocess.Popen[bytes]] = []

    def pass_on(number: int, frame: FrameType | None) -> None:
        for process in processes:
            process.send_signal(number)

    former = {number: signal.signal(number, pass_on) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        for command in commands:
            processes.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
        return max(abs(process.wait()) for process in processes)
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
