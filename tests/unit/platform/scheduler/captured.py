"""Answers of batch systems in tests/data/scheduler: where each is from, its exit code, and its words."""

from pathlib import Path

from balsam.lib.commands import Answer

__all__ = ["DATA", "captured"]

DATA = Path(__file__).parents[3] / "data" / "scheduler"


def captured(name: str) -> Answer:
    """Return the answer that is kept under ``SCHEDULER/NAME``."""
    head, _, rest = (DATA / f"{name}.txt").read_bytes().decode().partition("--- stdout\n")
    stdout, _, stderr = rest.partition("--- stderr\n")
    source, code = head.splitlines()
    assert source.startswith("# ")
    return Answer(int(code.removeprefix("exit code: ")), stdout, stderr)
