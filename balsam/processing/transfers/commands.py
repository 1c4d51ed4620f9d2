"""Run a program to its end, or until the work is to end; nothing of it runs on then."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import IO

from balsam.exceptions import ConfigError
from balsam.platform.transfer import Answer, CommandLine
from balsam.processing.interruption import Interruption

__all__ = ["run"]

#: Between two looks at whether to end; a program that ends is seen at once.
_LOOK_SEC = 0.25
_GRACE_SEC = 3.0
#: Between two calls of ``on_wait``.
_WAIT_SEC = 1.0
_CHUNK_BYTES = 1 << 16


def run(
    command: CommandLine,
    interruption: Interruption,
    environ: Mapping[str, str],
    on_line: Callable[[str], None] | None = None,
    on_wait: Callable[[], None] | None = None,
) -> Answer:
    """Run a program in a process group of its own; see `Desk.run`.

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
        stdout, stderr = _Talk(process, command.stdin, on_line).to_the_end(interruption, on_wait)
    except BaseException:
        _end(process)
        raise
    return Answer(process.returncode, stdout.decode(errors="replace"), stderr.decode(errors="replace"))


class _Talk:
    """What goes to a program, and what comes of it, at the same time."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", stdin: bytes, on_line: Callable[[str], None] | None
    ) -> None:
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        self._process = process
        self._unsent = memoryview(stdin)
        self._on_line = on_line
        self._told = {"stdout": bytearray(), "stderr": bytearray()}
        self._selector = selectors.DefaultSelector()
        self._selector.register(process.stdout, selectors.EVENT_READ, "stdout")
        self._selector.register(process.stderr, selectors.EVENT_READ, "stderr")
        os.set_blocking(process.stdin.fileno(), False)
        self._selector.register(process.stdin, selectors.EVENT_WRITE, "stdin")

    def to_the_end(
        self, interruption: Interruption, on_wait: Callable[[], None] | None
    ) -> tuple[bytes, bytes]:
        """Return what it has written, but for lines that were handed on, when it has ended."""
        wait_until = time.monotonic() + _WAIT_SEC
        with self._selector:
            while self._selector.get_map():
                interruption.check()
                for key, _ in self._selector.select(_LOOK_SEC):
                    self._go_on(key.data, key.fileobj)  # type: ignore[arg-type]
                if on_wait is not None and time.monotonic() >= wait_until:
                    on_wait()
                    wait_until = time.monotonic() + _WAIT_SEC
        while True:
            try:
                self._process.wait(_LOOK_SEC)
            except subprocess.TimeoutExpired:
                interruption.check()
            else:
                return bytes(self._told["stdout"]), bytes(self._told["stderr"])

    def _go_on(self, name: str, stream: IO[bytes]) -> None:
        descriptor = stream.fileno()
        is_open = self._write(descriptor) if name == "stdin" else self._read(name, descriptor)
        if not is_open:
            self._selector.unregister(stream)
            stream.close()

    def _write(self, descriptor: int) -> bool:
        """Send what can be sent; say whether there is more."""
        try:
            self._unsent = self._unsent[os.write(descriptor, self._unsent[:_CHUNK_BYTES]) :]
        except BlockingIOError:
            return True
        except BrokenPipeError:  # it wants no more; how it ends tells
            return False
        return bool(self._unsent)

    def _read(self, name: str, descriptor: int) -> bool:
        chunk = os.read(descriptor, _CHUNK_BYTES)
        told = self._told[name]
        told += chunk
        if name == "stdout" and self._on_line is not None:
            *lines, rest = told.replace(b"\r", b"\n").split(b"\n")
            told[:] = rest
            for line in lines:
                self._on_line(line.decode(errors="surrogateescape"))
        return bool(chunk)


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
