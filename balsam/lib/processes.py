"""Identify processes beyond their pid, and end whole groups of them.

Guards that a process is called dead only when it certainly is: pid and start time are compared on the same
boot of the same host and in the same pid namespace, and with clocks that nobody can set. psutil, whose import
takes as long as that of all of Balsam, is imported where /proc does not do.
"""

import functools
import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ProcessIdentity", "identify", "is_alive", "kill_group", "orphans_of", "this_process"]

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE = Path("/proc/self/ns/pid")
#: The kernel's own number of the first pid namespace: PROC_PID_INIT_INO of linux/proc_ns.h.
_FIRST_PID_NAMESPACE = "pid:[4026531836]"
#: Readings of one start time differ by rounding; a pid does not come round within this.
_SAME_START_SEC = 0.5


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """One process for ever: no other process, past or future, has the same four values.

    ``start_time`` is in seconds: since boot on Linux, where setting the clock does not change it, else since
    the epoch. It is for comparison only. ``boot_id`` also names the pid namespace where it is not the first
    one (in a container).
    """

    host: str
    boot_id: str
    pid: int
    start_time: float


@functools.cache
def _this_boot() -> str:
    """Name this boot of this host, and the pid namespace in which pids have their meaning."""
    try:
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
        namespace = os.readlink(_PID_NAMESPACE)
    except OSError:
        return _boot_without_proc()
    return boot if namespace == _FIRST_PID_NAMESPACE else f"{boot}/{namespace}"


def _boot_without_proc() -> str:
    """Name this boot as macOS does; elsewhere by its time."""
    try:
        found = subprocess.run(
            ["sysctl", "-n", "kern.bootsessionuuid"], capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        found = ""
    import psutil

    return found or f"{psutil.boot_time():.0f}"


def this_process() -> ProcessIdentity:
    """Identify the calling process; a forked child gets its own answer."""
    pid = os.getpid()
    identity = identify(pid)
    if identity is None:
        raise ProcessLookupError(
            f"process {pid} cannot be read from the process table of {os.uname().sysname}"
        )
    return identity


def identify(pid: int) -> ProcessIdentity | None:
    """Identify a process of this host by its pid; None when it is dead (a zombie, too).

    Raises PermissionError when it exists and the process table hides it.
    """
    start_time = _start_time(pid) if pid > 0 else None
    if start_time is None:
        return None
    return ProcessIdentity(socket.gethostname(), _this_boot(), pid, start_time)


def is_alive(identity: ProcessIdentity) -> bool | None:
    """Say whether the process runs: None when that cannot be known from here.

    None on another host, in another pid namespace, or when the process table hides the processes of other
    users. A zombie is dead; a stopped process is alive.
    """
    if identity.host != socket.gethostname():
        return None
    if identity.boot_id != _this_boot():
        same_boot = identity.boot_id.split("/")[0] == _this_boot().split("/")[0]
        return None if same_boot else False
    if not _exists(identity.pid):
        return False
    try:
        start_time = _start_time(identity.pid)
    except PermissionError:
        return None
    return start_time is not None and abs(start_time - identity.start_time) < _SAME_START_SEC


def _exists(pid: int) -> bool:
    """Say whether some process, perhaps of another user or a zombie, has this pid."""
    if pid <= 0:  # names a group, not a process
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _start_time(pid: int) -> float | None:
    """Read when a process started; None when it is dead (a zombie, or gone since it was seen).

    Raises PermissionError when the process exists and may not be seen.
    """
    if not _BOOT_ID.exists():
        return _start_time_without_proc(pid)
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        if _exists(pid):  # mounted with hidepid
            raise PermissionError(f"process {pid} is hidden by /proc") from None
        return None
    # proc_pid_stat(5): the name may hold blanks and parentheses; state is field 3, starttime field 22.
    fields = stat[stat.rindex(b")") + 2 :].split()
    return None if fields[0] in (b"Z", b"X") else int(fields[19]) / os.sysconf("SC_CLK_TCK")


def _start_time_without_proc(pid: int) -> float | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else float(process.create_time())
    except psutil.NoSuchProcess:
        return None
    except psutil.AccessDenied as error:
        raise PermissionError(f"process {pid} may not be seen") from error


def kill_group(pgid: int, sig: int) -> bool:
    """Send ``sig`` to every process of the group; False when nobody is left in it that may be signalled.

    Raises ValueError for a number that would reach this process itself or all processes of the user.
    """
    if pgid <= 1 or pgid == os.getpgrp():
        raise ValueError(f"process group {pgid} is not one of a job")
    try:
        os.killpg(pgid, sig)
    except (ProcessLookupError, PermissionError):  # macOS: PermissionError for a group of zombies
        return False
    return True


def orphans_of(env_name: str, value: str) -> list[int]:
    """Find the processes of this user, other than this one, that were started with ``env_name=value``.

    Returns their pids in ascending order. Zombies, and processes whose environment may not be read, are left
    out.
    """
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            mine = process.pid != os.getpid() and process.uids().real == os.getuid()
            if mine and process.environ().get(env_name) == value:
                found.append(process.pid)
        except (psutil.Error, OSError):  # it ended meanwhile, or is not to be read
            continue
    return sorted(found)
