"""Run commands as a user types them: shown first, with what this Python's own environment offers in front.

What is shown works when it is typed, once the environment is on PATH (`path_hint` says how).
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from balsam.exceptions import BalsamError


class DemoError(BalsamError):
    """A step of the demo failed."""


class DemoShell:
    """A shell in the current directory, with the environment that commands get."""

    def __init__(self) -> None:
        folders = [Path(sys.executable).parent, Path(sys.argv[0]).resolve().parent]
        mine = [str(folder) for folder in folders if (folder / "balsam").exists()] or [str(folders[0])]
        self.user_path = os.environ.get("PATH", os.defpath)
        self.environ = {**os.environ, "PATH": os.pathsep.join([*dict.fromkeys(mine), self.user_path])}
        self.environ.pop("BALSAM_DB_PATH", None)

    @property
    def python(self) -> str:
        """What calls this Python: `python`, or its path where that is another one or none."""
        return "python" if self._is_own("python") else shlex.quote(sys.executable)

    @property
    def interpreter(self) -> str:
        """What the first line of a script names to be run by this Python."""
        return "/usr/bin/env python" if self._is_own("python") else sys.executable

    def run(self, line: str, argv: Sequence[str] | None = None, **variables: str) -> None:
        """Show a line and run it, or ``argv`` in its place; raises DemoError when it fails.

        The interrupt of a terminal reaches the command as well, and it is left to end in order.
        """
        say(f"$ {line}")
        environ = {**self.environ, **variables}
        process = subprocess.Popen(argv or shlex.split(line), env=environ)
        code = wait_through_interrupts(process)
        if code:
            raise DemoError(
                f"`{line}` ended with exit code {code}, so the demo stops here; its message is above.\n"
                "Mend that and run `balsam demo` again: it goes on in the same directory."
            )

    def read(self, argv: Sequence[str], **variables: str) -> str:
        """Return what a command prints; raises DemoError when it fails."""
        environ = {**self.environ, **variables}
        done = subprocess.run(argv, env=environ, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            raise DemoError(f"`{shlex.join(argv)}` ended with exit code {done.returncode}.")
        return done.stdout

    def path_hint(self) -> str:
        """Return the line to type before the others, or '' where `balsam` is on the user's PATH."""
        found = shutil.which("balsam", path=self.environ["PATH"])
        if found is None or shutil.which("balsam", path=self.user_path) == found:
            return ""
        folder = Path(found).parent
        if (folder / "activate").exists():
            return f". {shlex.quote(str(folder / 'activate'))}"
        return f"export PATH={shlex.quote(str(folder))}:$PATH"

    def _is_own(self, name: str) -> bool:
        found = shutil.which(name, path=self.environ["PATH"])
        return found is not None and Path(found).parent == Path(sys.executable).parent


def wait_through_interrupts(process: "subprocess.Popen[bytes]") -> int:
    """Return the exit code of a process; an interrupt is raised only once the process has ended."""
    was_interrupted = False
    while True:
        try:
            code = process.wait()
            break
        except KeyboardInterrupt:
            was_interrupted = True
    if was_interrupted:
        raise KeyboardInterrupt
    return code


def say(text: str) -> None:
    """Print a line at once, before what a command prints next."""
    click.echo(text)
    sys.stdout.flush()
