"""Run a program to its end, or until the work is to end; nothing of it runs on then."""

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress

from balsam.exceptions import ConfigError, StepInterrupted
from balsam.platform.transfer import Answer, CommandLine
from balsam.processing.interruption import Interruption

__all__ = ["run"]

#: Between two looks at whether to end; a program that ends is seen at once.
_LOOK_SEC = 0.25
_GRACE_SEC = 3.0


def run(command: CommandLine, interruption: Interruption, environ: Mapping[str, str]) -> Answer:
    """Run a program in a process group of its own.

    Raises StepInterrupted, and ConfigError where there is no such program.
    """
    try:
        process = subprocess.Popen(
            command.argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **environ},
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise ConfigError(
            f"There is no `{command.argv[0]}` on PATH here. Install it, or name another transport."
        ) from error
    try:
        stdout, stderr = _communicate(process, command.stdin, interruption)
    except BaseException:
        _end(process)
        raise
    return Answer(process.returncode, stdout.decode(errors="replace"), stderr.decode(errors="replace"))


def _communicate(
    process: "subprocess.Popen[bytes]", stdin: bytes, interruption: Interruption
) -> tuple[bytes, bytes]:
    unsent: bytes | None = stdin
    while True:
        try:
            return process.communicate(unsent, timeout=_LOOK_SEC)
        except subprocess.TimeoutExpired:
            unsent = None  # it is being sent
            if interruption.is_set:
                raise StepInterrupted from None


def _end(process: "subprocess.Popen[bytes]") -> None:
    for number, patience_sec in ((signal.SIGTERM, _GRACE_SEC), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience_sec)
            break
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()
