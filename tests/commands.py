"""Run the installed commands as a user does: another process, its status and what it printed."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Finished:
    """A command that ended."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """Everything printed, for messages of failed assertions."""
        return self.stdout + self.stderr

    def check(self) -> "Finished":
        """Return itself if the command exited with 0; raise AssertionError with its output otherwise."""
        assert self.returncode == 0, f"exit {self.returncode}:\n{self.output}"
        return self


def script_path(name: str) -> str:
    """Path of an installed script of the environment that runs the tests."""
    return str(Path(sys.executable).parent / name)


def run_balsam(
    *args: object,
    input: str = "",
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    timeout_sec: float = 120,
) -> Finished:
    """Run `balsam ARGS`; ``env`` overlays this process's environment, ``input`` is its stdin."""
    done = subprocess.run(
        [script_path("balsam"), *map(str, args)],
        input=input,
        cwd=cwd,
        env={**os.environ, **(env or {})},
        timeout=timeout_sec,
        capture_output=True,
        text=True,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)
