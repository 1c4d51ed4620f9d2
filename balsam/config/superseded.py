"""Keys of older `settings.yml` files for what is done by itself now.

Nothing is set in vain: a value of them that would change nothing is an error with its line.
"""

from collections.abc import Mapping
from typing import Any

from balsam.config.yaml_file import YamlFile

__all__ = ["check_superseded"]

_AT_ONCE = "records of the log are written at once"
#: Key -> the values that older files have by themselves, and how it is without the key.
_SUPERSEDED: Mapping[tuple[str, str], tuple[tuple[Any, ...], str]] = {
    ("logging", "buffer_num_records"): ((1024, 0), _AT_ONCE),
    ("logging", "flush_period"): ((30, 0), _AT_ONCE),
    ("launcher", "delay_sec"): ((1,), "launchers act when something happens, and wait for nothing else"),
    ("launcher", "serial_mode_prefetch_per_rank"): (
        (64,),
        "a worker has as many jobs ahead as it needs to be never idle",
    ),
    ("launcher", "serial_mode_startup_params"): (
        ({}, {"cpu_affinity": "none"}),
        "workers use all CPUs of their node, and bind their jobs by themselves",
    ),
    ("processing", "prefetch_depth"): ((1000,), "the agent has as many steps ahead as keep it busy"),
}
_LOCAL_LAUNCHERS = ("auto", "localapprun")


def check_superseded(found: YamlFile, values: Mapping[str, Any]) -> None:
    """Raise InvalidSettings for a value that would change nothing."""
    for (section, key), (known, how) in _SUPERSEDED.items():
        given = (values.get(section) or {}).get(key, known[0])
        if given not in known:
            raise found.error(
                (section, key), f"{section}.{key} is {given!r}, which would change nothing: {how}", _ADVICE
            )
    local = (values.get("launcher") or {}).get("local_app_launcher", "auto")
    if str(local).rpartition(".")[2].lower() not in _LOCAL_LAUNCHERS:
        how = "serial jobs are started in the same way on all machines"
        raise found.error(
            ("launcher", "local_app_launcher"), f"launcher.local_app_launcher is {local!r}: {how}", _ADVICE
        )


_ADVICE = "Remove the line."
