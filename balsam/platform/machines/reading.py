"""Read a machine's directory: settings.toml, job-template.sh and queue-policy.ini."""

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from balsam.exceptions import ConfigError
from balsam.lib.nodelists import expand_ranges
from balsam.platform.gpus import GPU_KINDS
from balsam.platform.machines.machine import Machine, QueueLimits
from balsam.platform.nodes import NodeDescription

__all__ = ["read_machine"]

#: Key of settings.toml -> type; those that must be there first.
_NEEDED = {"title": str, "scheduler": str, "mpi_run_template": str, "worker_detection_type": str}
_KEYS: Mapping[str, type] = {
    **_NEEDED,
    "cpus": str,
    "gpus": list,
    "memory_mb": int,
    "threads_per_core": int,
    "gpu_kind": str,
    "mpi_shares_nodes": bool,
    "default_project": str,
    "max_concurrent_mpiruns": int,
    "max_mpi_launches_per_allocation": int,
    "queues": dict,
}
_LIMITS = tuple(limit.name for limit in fields(QueueLimits))
_TYPE_NAMES = {str: "a text", int: "a whole number", bool: "true or false", list: "a list", dict: "a table"}


def read_machine(directory: Path) -> Machine:
    """Return the machine that a directory describes; raises ConfigError with what is wrong in which file."""
    path = directory / "settings.toml"
    values = _read(path)
    try:
        _check(values)
        queues = {name: _limits(name, limits) for name, limits in values.pop("queues", {}).items()}
        nodes = _nodes(values)
    except ValueError as error:
        raise _error(path, str(error)) from error
    return Machine(
        name=directory.name,
        nodes=nodes,
        queues=queues,
        job_template=_file(directory / "job-template.sh"),
        queue_policy=_file(directory / "queue-policy.ini"),
        **values,
    )


def _file(path: Path) -> Path:
    if not path.is_file():
        raise _error(path, "there is no such file")
    return path


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _error(path, error.strerror or str(error)) from error
    except ValueError as error:  # of TOML, or of UTF-8
        raise _error(path, str(error)) from error


def _check(values: Mapping[str, object]) -> None:
    """Raise ValueError for a key that is missing or unknown, and for a value that cannot be meant."""
    for key, value in values.items():
        wanted = _KEYS.get(key)
        if wanted is None:
            close = difflib.get_close_matches(key, _KEYS, n=1)
            raise ValueError(f"{key} is no key" + (f"; did you mean {close[0]}?" if close else ""))
        if type(value) is not wanted:
            raise ValueError(f"{key} is {value!r}, which is not {_TYPE_NAMES[wanted]}")
        if isinstance(value, int) and value < 0:
            raise ValueError(f"{key} is {value}, which is less than 0")
    if missing := [key for key in _NEEDED if key not in values]:
        raise ValueError(f"{missing[0]} is missing")
    if (kind := values.get("gpu_kind", "cuda")) not in GPU_KINDS:
        raise ValueError(f"gpu_kind is {kind!r}, which is none of {', '.join(GPU_KINDS)}")


def _nodes(values: dict[str, Any]) -> NodeDescription:
    """Take what describes the nodes out of the values."""
    text = values.pop("cpus", "")
    cpus = tuple(int(number) for number in expand_ranges(text)) if text else ()
    gpus = tuple(values.pop("gpus", ()))
    if not all(isinstance(gpu, str) and gpu for gpu in gpus):
        raise ValueError(f"gpus is {list(gpus)}, which is not a list of texts")
    for key, names in (("cpus", cpus), ("gpus", gpus)):
        if len(set(names)) != len(names):
            raise ValueError(f"{key} names one twice")
    return NodeDescription(cpus=cpus, gpus=gpus, memory_mb=values.pop("memory_mb", 0))


def _limits(queue: str, limits: object) -> QueueLimits:
    if not isinstance(limits, dict) or set(limits) != set(_LIMITS):
        raise ValueError(f"queues.{queue} needs {', '.join(_LIMITS)}, and nothing else")
    for key, value in limits.items():
        if type(value) is not int or value < 1:
            raise ValueError(f"{key} of queues.{queue} is {value!r}, which is no whole number above 0")
    return QueueLimits(**limits)


def _error(path: Path, what: str) -> ConfigError:
    return ConfigError(f"Cannot use the machine's description: {path}: {what}. See docs/machines.md.")
