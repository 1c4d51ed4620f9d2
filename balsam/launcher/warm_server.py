"""A warm interpreter: ``python -m balsam.launcher.warm_server``, started by a worker for one application.

It imports what the application imports, and then forks a process for each job; that process reads the class,
runs the job and ends as a freshly started interpreter does. Nothing of a job happens in this process, and its
jobs are children of the worker, so they outlive it. Linux only.

Requests of the worker come as one byte with open files: ``a`` with the application, once; then ``c`` to ask
whether what is here is still what a fresh interpreter would import, and ``j`` with the output of a job, its
call, and a pipe that must say ``g`` before anything of the job happens.
"""

import atexit
import contextlib
import ctypes
import errno
import gc
import io
import json
import os
import socket
import sys
import sysconfig
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import balsam
from balsam.api.app_classes import FILE_MODULES, read_class
from balsam.api.run_app import Call, run_job
from balsam.schemas.jobs import AppCode

__all__ = ["main"]

_MAX_FILES = 3
#: The exit code of an interpreter that cannot write what is left at its end.
_FLUSH_FAILED = 120
_TASKS = "/proc/self/task"
_LIBC = ctypes.PyDLL(None)


def main() -> int:
    """Serve until the worker closes its end; in the process of a job, run that."""
    link = socket.socket(fileno=os.dup(0))
    devnull = os.open(os.devnull, os.O_RDONLY)
    os.dup2(devnull, 0)
    os.close(devnull)
    _tell(link, state="up")
    _, (file,) = _receive(link)
    app = AppCode(**json.loads(_read(file)))
    os.close(file)
    _import_what_it_imports(app)
    if threads := _threads():
        _tell(link, state="unusable", reason=f"what it imports keeps {threads} threads of its own")
        return 0
    watched = _Watched()
    gc.collect()
    gc.freeze()  # so that jobs share the memory of what is here
    _tell(link, state="ready", may_change=watched.is_needed)
    return _serve(link, app, watched)


def _serve(link: socket.socket, app: AppCode, watched: "_Watched") -> int:
    while True:
        request, files = _receive(link)
        if not request:
            return 0
        if request == b"c":
            _tell(link, changed=watched.changed())
            continue
        try:
            pid = _fork_job()
        except OSError as error:
            _tell(link, errno=error.errno)
        else:
            if pid == 0:
                link.close()
                _leave(_run(app, files))
            _tell(link, pid=pid)
        for file in files:
            os.close(file)


def _fork_job() -> int:
    """Fork a process that leads a session and is a child of the worker; returns its pid here, and 0 there.

    The process in between ends at once: its child goes to the worker, which takes in orphans.
    """
    reader, writer = os.pipe()
    try:
        # Not Python's own: what that does in the new process is for the one that comes of it.
        between: int = _LIBC.fork()
        if between == 0:
            if _fork_or_fail() != 0:
                os._exit(0)
            os.setsid()
            os.write(writer, str(os.getpid()).encode())
            os.close(reader)
            return 0
    finally:
        os.close(writer)
    if between > 0:
        os.waitpid(between, 0)
    with open(reader, "rb") as said:
        pid = said.read()
    if not pid:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    return int(pid)


def _fork_or_fail() -> int:
    try:
        return os.fork()
    except OSError:
        return -1


# -- in the process of a job -------------------------------------------------------------------------


def _run(app: AppCode, files: list[int]) -> int:
    """Become what a fresh interpreter in the job's place would be, and run the job."""
    output, call, gate = files
    if os.read(gate, 1) != b"g":  # the worker knows nothing of this process
        os._exit(1)
    os.close(gate)
    request = json.loads(_read(call))
    os.ftruncate(call, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    os.chdir(request["workdir"])
    os.environ.update(request["environ"])
    if request["cpu_ids"]:
        with contextlib.suppress(OSError):  # there are no such CPUs: it stays unbound, as any job
            os.sched_setaffinity(0, request["cpu_ids"])
    if numbers := sys.modules.get("numpy.random"):
        numbers.seed()  # Python does that for its own at each fork

    def tell(text: str) -> None:
        os.pwrite(call, text.encode(), 0)

    return run_job(Call(app, request["record"]), tell)


def _leave(code: int) -> NoReturn:
    """End this process as an interpreter does, without taking apart what is shared with others.

    That would copy all their memory, and take longer than most of the rest.
    """
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    gc.collect()
    for item in gc.get_objects():  # what was there before the fork is not among them
        if isinstance(item, io.IOBase):
            with contextlib.suppress(OSError, ValueError):  # as an interpreter does: there is nobody to tell
                item.flush()
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        code = code or _FLUSH_FAILED
    os._exit(code)


# -- in the server -----------------------------------------------------------------------------------


def _import_what_it_imports(app: AppCode) -> None:
    """Read the class once, for what that imports to be here; each job reads it again.

    One that cannot be read is told of by its jobs.
    """
    with contextlib.suppress(Exception, SystemExit):
        read_class(app)
    for name in [name for name in sys.modules if name.startswith(f"{FILE_MODULES}.")]:
        del sys.modules[name]
    sys.stdout.flush()
    os.chdir("/")


def _threads() -> int:
    """Count the other threads that do not end by themselves before a fork: no job would have them."""
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    return len(os.listdir(_TASKS)) - 1


class _Watched:
    """The files that were imported and may change at any time: not those of installed packages."""

    def __init__(self) -> None:
        fixed = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
        fixed.add(str(Path(balsam.__file__).parent))
        prefixes = tuple(f"{place}/" for place in fixed)
        self._stamps = {file: _stamp(file) for file in _imported() if not file.startswith(prefixes)}

    @property
    def is_needed(self) -> bool:
        """There are such files."""
        return bool(self._stamps)

    def changed(self) -> str:
        """Return a file that has changed since it was imported, or ''."""
        return next((file for file, stamp in self._stamps.items() if _stamp(file) != stamp), "")


def _imported() -> Iterator[str]:
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str):
            yield file


def _stamp(file: str) -> tuple[int, int, int]:
    try:
        status = os.stat(file)
    except OSError:  # it is gone
        return 0, 0, 0
    return status.st_ino, status.st_size, status.st_mtime_ns


def _read(file: int) -> bytes:
    return os.pread(file, os.fstat(file).st_size, 0)


def _receive(link: socket.socket) -> tuple[bytes, list[int]]:
    request, files, _, _ = socket.recv_fds(link, 16, _MAX_FILES)
    return request, files


def _tell(link: socket.socket, **message: Any) -> None:
    link.send(json.dumps(message).encode())


if __name__ == "__main__":
    sys.exit(main())
