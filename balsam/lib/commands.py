"""Run a command of the machine within a time limit; whatever happens is an answer, never an exception."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

__all__ = ["Answer", "Command", "run_command"]

#: No shorter, as a loaded login node may need seconds; no longer, as everything else waits for it.
TIMEOUT_SEC = 60.0
#: Of a listing of 100,000 lines; what is beyond is cut, and the answer says so.
_MAX_CHARS = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Command:
    """Words to be run, variables over the environment of this process, and those that it must not see.

    ``cwd`` is the directory to run it in, '' that of this process.
    """

    argv: Sequence[str]
    environ: Mapping[str, str] = field(default_factory=dict)
    timeout_sec: float = TIMEOUT_SEC
    unset: Sequence[str] = ()
    cwd: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command answered.

    ``returncode`` is None when it did not end in time, or could not be started; ``problem`` says which. A
    command that was not ``started`` has certainly done nothing.
    """

    returncode: int | None
    stdout: str = ""
    stderr: str = ""
    problem: str = ""
    started: bool = True

    @property
    def is_ok(self) -> bool:
        """Whether the command ended with 0, and its whole answer is here."""
        return self.returncode == 0 and not self.problem

    @property
    def words(self) -> str:
        """What to tell a user who asks why: the command's own words, else what happened to it."""
        told = self.stderr.strip() or self.stdout.strip()
        if self.problem:
            return f"{self.problem}: {told}" if told else self.problem
        return told or f"it ended with code {self.returncode} and said nothing"


def run_command(command: Command) -> Answer:
    """Run a command to its end, or for its time limit; its whole process group is killed then."""
    inherited = {name: value for name, value in os.environ.items() if name not in command.unset}
    try:
        process = subprocess.Popen(
            command.argv,
            cwd=command.cwd or None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**inherited, **command.environ},
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return Answer(None, problem=f"cannot run {command.argv[0]}: {error}", started=False)
    try:
        stdout, stderr = process.communicate(timeout=command.timeout_sec)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        stdout, stderr = _what_is_there(process)
        problem = f"{command.argv[0]} did not answer within {command.timeout_sec:g} s"
        return Answer(None, _text(stdout), _text(stderr), problem)
    problem = f"{command.argv[0]} answered too much" if len(stdout) > _MAX_CHARS else ""
    return Answer(process.returncode, _text(stdout[:_MAX_CHARS]), _text(stderr[:_MAX_CHARS]), problem)


def _what_is_there(process: "subprocess.Popen[bytes]") -> tuple[bytes, bytes]:
    """Return what a killed command had said; a descendant that left its group may still hold the pipes."""
    try:
        return process.communicate(timeout=1.0)
    except subprocess.TimeoutExpired:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        return b"", b""


def _text(output: bytes) -> str:
    return output.decode(errors="replace")
