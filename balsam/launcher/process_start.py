"""Start one process in its working directory, with its output file, environment and CPUs.

Whatever is wrong with one start is a JobStartError of that start alone; the starting process, whose
current directory this module moves, must have a single thread.
"""

import contextlib
import errno
import itertools
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from balsam.launcher import start_errors
from balsam.launcher.executables import ExecutableFinder

__all__ = ["ProcessStart", "ProcessStarter"]

_OUTPUT_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOCTTY
#: A pipe by the name of the output file, with nobody at its end, is an error and not an endless wait.
_OUTPUT_FLAGS |= os.O_NONBLOCK
_RESET_SIGNALS = tuple(signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})
#: Not every macOS can start a session this way.
_OWN_GROUP: dict[str, Any] = {"setsid": True} if sys.platform == "linux" else {"setpgroup": 0}
_STDIN = 0
_HAS_AFFINITY = sys.platform == "linux"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessStart:
    """What to start. ``argv[0]`` is looked up on the PATH of the process's environment."""

    argv: list[str]
    workdir: str
    #: File name in the working directory that receives stdout and stderr.
    output: str
    #: Overlay of the starter's environment.
    environ: Mapping[str, str] = field(default_factory=dict)
    #: CPUs to bind to; empty leaves it unbound.
    cpu_ids: tuple[int, ...] = ()
    #: From the second attempt on, the output of the one before is kept as ``<output>.<attempt - 1>``.
    attempt: int = 1
    #: Files to write first, for this user alone: name below the working directory -> text.
    files: Mapping[str, str] = field(default_factory=dict)
    #: What to have as file descriptor 0, and as 1 and 2, instead of /dev/null and the output file.
    streams: tuple[int, int] | None = None


class ProcessStarter:
    """Starts processes that inherit ``environ`` overlaid by their own, and nothing else.

    They lead their own process group (on Linux also their own session), have default signal dispositions
    and an empty signal mask, and read what this process has as file descriptor 0: /dev/null.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {os.fsencode(name): os.fsencode(value) for name, value in environ.items()}
        self._finder = ExecutableFinder()
        self._all_cpus = os.sched_getaffinity(0) if _HAS_AFFINITY else set()

    def start(self, start: ProcessStart) -> int:
        """Start a process and return its pid; raises JobStartError with the reason.

        An OSError for which `start_errors.is_transient` holds passes through: the machine is short of
        something, and trying again later may help.
        """
        if start.streams is not None:
            _enter(start.workdir)
            return self._spawn(start, start.streams)
        output = self.open_output(start)
        try:
            return self._spawn(start, (_STDIN, output))
        finally:
            os.close(output)

    def open_output(self, start: ProcessStart) -> int:
        """Enter the working directory and open the output file there; raises as :meth:`start` does."""
        _enter(start.workdir)
        _write_files(start)
        return _open_output(start)

    def _spawn(self, start: ProcessStart, streams: tuple[int, int]) -> int:
        try:
            environ = self._environ.copy()
            environ[b"PWD"] = os.fsencode(start.workdir)
            for name, value in start.environ.items():
                environ[os.fsencode(name)] = os.fsencode(value)
            path = self._finder.find(start.argv[0], environ.get(b"PATH"))
            if not start.cpu_ids:
                return self._execute(path, start, environ, streams)
            with_cpus = _bind(start.cpu_ids)
            try:
                return self._execute(path, start, environ, streams)
            finally:
                if with_cpus:
                    os.sched_setaffinity(0, self._all_cpus)
        except (ValueError, TypeError) as error:
            raise start_errors.unusable_text(start.argv, start.environ, error) from error

    def _execute(
        self, path: str, start: ProcessStart, environ: dict[bytes, bytes], streams: tuple[int, int]
    ) -> int:
        try:
            return _posix_spawn(path, start.argv, environ, streams)
        except OSError as error:
            if start_errors.is_transient(error):
                raise
            if error.errno == errno.ENOEXEC and start_errors.is_script(path):
                # a script without a first line that names its interpreter, as execvp does
                return _posix_spawn("/bin/sh", ["/bin/sh", path, *start.argv[1:]], environ, streams)
            if error.errno == errno.ENOENT and path != start.argv[0]:
                self._finder.forget()
                again = self._finder.find(start.argv[0], environ.get(b"PATH"))
                if again != path:
                    return self._execute(again, start, environ, streams)
            raise start_errors.not_executed(path, start.argv, error) from error


def _posix_spawn(path: str, argv: list[str], environ: dict[bytes, bytes], streams: tuple[int, int]) -> int:
    stdin, output = streams
    actions = [(os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)]
    if stdin != _STDIN:
        actions.append((os.POSIX_SPAWN_DUP2, stdin, _STDIN))
    return os.posix_spawn(
        path,
        argv,
        environ,
        file_actions=actions,
        setsigmask=(),
        setsigdef=_RESET_SIGNALS,
        **_OWN_GROUP,
    )


def _enter(workdir: str) -> None:
    try:
        try:
            os.chdir(workdir)
        except FileNotFoundError:
            _make_directory(workdir)
            os.chdir(workdir)
    except (OSError, ValueError) as error:
        if start_errors.is_transient(error):
            raise
        raise start_errors.unusable_workdir(workdir, error) from error


def _make_directory(path: str) -> None:
    try:
        os.mkdir(path)
    except FileExistsError:
        pass  # another launcher was quicker
    except FileNotFoundError:
        os.makedirs(path, exist_ok=True)


def _write_files(start: ProcessStart) -> None:
    for name, text in start.files.items():
        try:
            os.makedirs(os.path.dirname(name) or ".", exist_ok=True)
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with open(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            if start_errors.is_transient(error):
                raise
            raise start_errors.unusable_output(start.workdir, name, error) from error


def _open_output(start: ProcessStart) -> int:
    try:
        if start.attempt > 1:
            _keep_output(start.output, start.attempt - 1)
        return os.open(start.output, _OUTPUT_FLAGS, 0o666)
    except (OSError, ValueError) as error:
        if start_errors.is_transient(error):
            raise
        raise start_errors.unusable_output(start.workdir, start.output, error) from error


def _keep_output(name: str, attempt: int) -> None:
    """Move the output of an earlier attempt aside; never onto another kept one."""
    kept = f"{name}.{attempt}"
    for count in itertools.count(1):
        if not os.path.lexists(kept):
            break
        kept = f"{name}.{attempt}.{count}"
    with contextlib.suppress(FileNotFoundError):  # that attempt never began
        os.rename(name, kept)


def _bind(cpu_ids: tuple[int, ...]) -> bool:
    """Bind this process, and so what it starts; False where the system does not, or has no such CPUs."""
    try:
        if _HAS_AFFINITY:
            os.sched_setaffinity(0, cpu_ids)
        return _HAS_AFFINITY
    except OSError:
        return False
