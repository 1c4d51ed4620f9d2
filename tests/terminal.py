"""Run the installed commands at a terminal: what is shown comes as a person sees it, and keys are typed."""

import os
import pty
import select
import subprocess
import time
from collections.abc import Mapping

from tests.commands import script_path

_PATIENCE_SEC = 120.0


class Terminal:
    """One command with a terminal for its input, output and errors. Use as a context."""

    def __init__(self, *args: object, env: Mapping[str, str]) -> None:
        self._ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            [script_path("balsam"), *map(str, args)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", **env},
            start_new_session=True,
        )
        os.close(theirs)
        self.shown = ""

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self._ours)

    def read_until(self, text: str) -> str:
        """Return all that has been shown, when ``text`` is in it."""
        until = time.monotonic() + _PATIENCE_SEC
        while text not in self.shown:
            assert time.monotonic() < until and self._read(), f"{text!r} is not in {self.shown!r}"
        return self.shown

    def type(self, keys: str) -> None:
        """Type keys."""
        os.write(self._ours, keys.encode())

    def end(self) -> int:
        """Return the exit code, when the command has ended and all it has shown was read."""
        while self._read():
            pass
        return self.process.wait(_PATIENCE_SEC)

    def _read(self) -> bool:
        """Read some of what is shown; False at its end."""
        ready, _, _ = select.select([self._ours], [], [], _PATIENCE_SEC)
        assert ready, f"nothing more is shown after {self.shown!r}"
        try:
            new = os.read(self._ours, 4096)
        except OSError:  # on Linux, the other end is closed
            return False
        self.shown += new.decode(errors="replace").replace("\r\n", "\n")
        return bool(new)
