"""Find a batch system by its name, by what is on PATH, or by the environment of a batch job.

Third parties add one by an entry point of the group ``balsam.schedulers`` that names a class.
"""

import difflib
import shutil
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from balsam.exceptions import ConfigError
from balsam.platform.scheduler.contract import Allocation, SchedulerAdapter

__all__ = ["KNOWN_SCHEDULERS", "current_allocation", "detect_scheduler", "load_scheduler"]

_GROUP = "balsam.schedulers"
#: Name -> where its adapter is; the order in which they are looked for. The local queue is always there.
_ADAPTERS: Mapping[str, str] = {
    "slurm": "balsam.platform.scheduler.slurm:Slurm",
    "pbs": "balsam.platform.scheduler.pbs:Pbs",
    "cobalt": "balsam.platform.scheduler.cobalt:Cobalt",
    "lsf": "balsam.platform.scheduler.lsf:Lsf",
    "slurm-qos": "balsam.platform.scheduler.slurm:SlurmQos",
    "local": "balsam.platform.scheduler.local:Local",
}
#: Other names of `SCHEDULER_CLASS`: of the database generation, and of the site generation.
_ALIASES: Mapping[str, str] = {
    "CobaltScheduler": "cobalt",
    "SlurmScheduler": "slurm",
    "CobaltScheduling": "cobalt",
    "SlurmInterface": "slurm",
    "PBSInterface": "pbs",
    "LsfInterface": "lsf",
    "LocalProcessScheduler": "local",
}
KNOWN_SCHEDULERS = ("auto", *_ADAPTERS, *_ALIASES)


def load_scheduler(name: str) -> SchedulerAdapter:
    """Return the adapter of that name, ``auto``: of this machine; raises ConfigError if unknown."""
    if name == "auto":
        name = detect_scheduler()
    path = _known().get(_ALIASES.get(name, name))
    if path is None:
        close = difflib.get_close_matches(name, [*_ALIASES, *_known()], n=1)
        meant = f" Did you mean {close[0]!r}?" if close else ""
        raise ConfigError(
            f"Cannot use the batch system: SCHEDULER_CLASS {name!r} is not known.{meant} "
            f"Set it in settings.json to one of: auto, {', '.join(_known())}."
        )
    return _load(path)


def detect_scheduler() -> str:
    """Return the name of the first batch system whose commands are on PATH; ``local`` where there is none."""
    return next((name for name, adapter in _all() if shutil.which(adapter.probe)), "local")


def current_allocation(environ: Mapping[str, str]) -> Allocation | None:
    """Return the batch job in whose environment this is; None outside of one."""
    found = (adapter.allocation(environ) for _, adapter in _all())
    return next((allocation for allocation in found if allocation is not None), None)


def _all() -> Iterator[tuple[str, SchedulerAdapter]]:
    return ((name, _load(path)) for name, path in _known().items())


@cache
def _known() -> Mapping[str, str]:
    return {**_ADAPTERS, **{point.name: point.value for point in entry_points(group=_GROUP)}}


def _load(path: str) -> SchedulerAdapter:
    module, name = path.split(":")
    adapter: SchedulerAdapter = getattr(import_module(module), name)()
    return adapter
