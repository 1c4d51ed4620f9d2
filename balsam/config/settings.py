"""The user's `settings.json`, merged with defaults that work on any machine.

The file is only ever read: one that is missing is fine, and one that is wrong is an error which names the
line, never a reason to write defaults over it.
"""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from balsam.config.home import balsam_home
from balsam.config.json_files import JsonObject, read_json_object
from balsam.config.machine_defaults import machine_defaults
from balsam.schemas.sessions import JOB_ORDERS

__all__ = ["UserSettings", "load_settings", "user_settings"]


@dataclass(frozen=True, kw_only=True)
class UserSettings:
    """One user's settings; a key that Balsam does not know is kept, and is an attribute like the others.

    ``auto`` means: what is found on this machine.
    """

    #: The machine, by its name or the directory that describes it: it says the defaults of several others.
    MACHINE: str = "auto"
    SCHEDULER_CLASS: str = "auto"
    #: Commands of the scheduler; empty: as they are called on PATH.
    SCHEDULER_SUBMIT_EXE: str = ""
    SCHEDULER_STATUS_EXE: str = ""
    #: The MPI launcher.
    MPI_RUN_TEMPLATE: str = "auto"
    #: What starts the workers of serial mode on other nodes: ssh, or an MPI launcher as above.
    WORKER_LAUNCHER: str = "auto"
    #: How the nodes of an allocation are found.
    WORKER_DETECTION_TYPE: str = "auto"
    #: Project of allocations for which none is given.
    DEFAULT_PROJECT: str = "datascience"
    #: Seconds between two rounds of what has to be asked for again and again.
    SERVICE_PERIOD: float = 1
    #: Hooks and transfers that run at once; 0: launchers run none.
    NUM_TRANSITION_THREADS: int = 2
    #: Jobs that one launcher runs at once in mpi mode.
    MAX_CONCURRENT_MPIRUNS: int = 1000
    #: Runs of the MPI launcher in all, in one allocation; 0: no limit.
    MAX_MPI_LAUNCHES_PER_ALLOCATION: int = 0
    #: CPUs of a node that serial jobs may use, 0 for all; and the step from the number of one to the next.
    SERIAL_CORES_PER_NODE: int = 0
    SERIAL_HYPERTHREAD_STRIDE: int = 1
    #: Nodes' worth of batch jobs that the local queue runs at once.
    LOCAL_QUEUE_SLOTS: int = 1
    #: Whether runs of the MPI launcher share nodes, yes or no; auto: as the machine has it.
    MPI_SHARES_NODES: str = "auto"
    #: Which jobs of equal priority launchers take first: large_first, or long_large_first.
    JOB_ORDER: str = "large_first"
    #: Lines of the output of a job that its error is told with.
    ERROR_TAIL_LINES: int = 16
    LOG_HANDLER_LEVEL: str = "INFO"
    #: As for Python's logging; '': Balsam's own.
    LOG_FORMAT: str = ""
    LOG_TIME_FORMAT: str = ""
    LOG_BACKUP_COUNT: int = 5
    #: Bytes of a log file before the next one is begun; 0: no limit.
    LOG_FILE_SIZE_LIMIT: int = 100 * 2**20
    #: Files, relative to the directory of settings.json.
    QUEUE_POLICY: str = "theta_policy.ini"
    JOB_TEMPLATE: str = "auto"
    #: The keys that are none of those above.
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __getattr__(self, name: str) -> Any:
        extra = self.__dict__.get("extra", {})
        if name in extra:
            return extra[name]
        close = difflib.get_close_matches(name, [*_TYPES, *extra], n=1)
        raise AttributeError(f"no setting {name!r}" + (f"; did you mean {close[0]!r}?" if close else ""))


_TYPES: dict[str, type] = {
    setting.name: type(setting.default) for setting in fields(UserSettings) if setting.name != "extra"
}
_TYPES["SERVICE_PERIOD"] = float
_TYPE_NAMES = {str: "a text", int: "a whole number", float: "a number"}
_CHOICES = {
    "LOG_HANDLER_LEVEL": ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"),
    "MPI_SHARES_NODES": ("auto", "yes", "no"),
    "JOB_ORDER": JOB_ORDERS,
}
_AT_LEAST = {
    "SERVICE_PERIOD": 0.01,
    "NUM_TRANSITION_THREADS": 0,
    "MAX_CONCURRENT_MPIRUNS": 1,
    "MAX_MPI_LAUNCHES_PER_ALLOCATION": 0,
    "SERIAL_CORES_PER_NODE": 0,
    "SERIAL_HYPERTHREAD_STRIDE": 1,
    "LOCAL_QUEUE_SLOTS": 1,
    "ERROR_TAIL_LINES": 0,
    "LOG_BACKUP_COUNT": 0,
    "LOG_FILE_SIZE_LIMIT": 0,
}


def user_settings() -> UserSettings:
    """Return the settings of `settings.json` in the user's directory; see :func:`load_settings`.

    The file is read again when it has changed.
    """
    path = balsam_home() / "settings.json"
    try:
        status = path.stat()
    except FileNotFoundError:
        return UserSettings()
    except OSError:
        return load_settings(path)  # which says what is wrong
    return _unchanged(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=4)
def _unchanged(path: Path, mtime_ns: int, size: int) -> UserSettings:
    return load_settings(path)


def load_settings(path: Path) -> UserSettings:
    """Read a settings file; raises ConfigError that names the file and the line which is wrong.

    What the file does not say is as the machine wants it that the file names.
    """
    found = read_json_object(path)
    for name, value in found.values.items():
        if name in _TYPES:
            _check(found, name, value)
    known = {name: value for name, value in found.values.items() if name in _TYPES}
    extra = {name: value for name, value in found.values.items() if name not in _TYPES}
    return UserSettings(**{**machine_defaults(known.get("MACHINE", "auto")), **known}, extra=extra)


def _check(found: JsonObject, name: str, value: object) -> None:
    wanted = _TYPES[name]
    accepted = (int, float) if wanted is float else wanted
    if isinstance(value, bool) or not isinstance(value, accepted):
        raise found.error(name, f"{name} is {value!r}, which is not {_TYPE_NAMES[wanted]}")
    least = _AT_LEAST.get(name)
    if least is not None and isinstance(value, int | float) and not value >= least:
        raise found.error(name, f"{name} is {value!r}, which is less than {least}")
    choices = _CHOICES.get(name)
    if choices is not None and value not in choices:
        raise found.error(name, f"{name} is {value!r}, which is none of {', '.join(choices)}")
