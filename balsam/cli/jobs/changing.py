"""What `balsam job modify` changes in each job: the options, and how they are applied."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

from balsam.cli.selection import key_values

if TYPE_CHECKING:
    from balsam.api.models import Job

__all__ = ["JobChange", "change_options"]

F = TypeVar("F", bound=Callable[..., Any])

#: Field -> its options and type, of what replaces the value there is.
_PLAIN: Mapping[str, tuple[tuple[str, ...], type]] = {
    "num_nodes": (("-n", "--num-nodes"), int),
    "ranks_per_node": (("-rpn", "--ranks-per-node"), int),
    "threads_per_rank": (("-tpr", "--threads-per-rank"), int),
    "threads_per_core": (("-tpc", "--threads-per-core"), int),
    "gpus_per_rank": (("-g", "--gpus-per-rank"), float),
    "node_packing_count": (("-npc", "--node-packing-count"), int),
    "wall_time_min": (("--wall-time-min",), int),
    "priority": (("--priority",), int),
    "on_parent_failure": (("--on-parent-failure",), str),
}
#: Field -> its options and help, of what is added to what there is.
_ADDED: Mapping[str, tuple[tuple[str, ...], str]] = {
    "parameters": (("-p", "--param"), "Parameter of the application."),
    "tags": (("--set-tag",), "Tag to set."),
    "launch_params": (("-lp", "--launch-param"), "More for the MPI launcher."),
}


def change_options(function: F) -> F:
    """Add the options that say what to change; they arrive as keywords for `JobChange`."""
    options = [click.option("--set-state", metavar="STATE", help="State to bring the jobs to; last of all.")]
    options += [
        click.option(*names, f"new_{name}", type=kind, help=f"New {name}.")
        for name, (names, kind) in _PLAIN.items()
    ]
    options += [_pairs(*names, f"new_{name}", help=text) for name, (names, text) in _ADDED.items()]
    options += [
        click.option("--remove-tag", multiple=True, metavar="KEY", help="Tag to take away."),
        _pairs("--set", "fields", metavar="FIELD=VALUE", help="Other field to change."),
    ]
    for option in reversed(options):
        function = option(function)
    return function


def _pairs(*names: str, metavar: str = "KEY=VALUE", help: str) -> Callable[[F], F]:
    return click.option(*names, multiple=True, metavar=metavar, callback=key_values, help=help)


class JobChange:
    """What is to be changed in each of some jobs."""

    def __init__(
        self, *, set_state: str | None, remove_tag: tuple[str, ...], fields: dict[str, str], **new: Any
    ) -> None:
        plain = {name: value for name in _PLAIN if (value := new[f"new_{name}"]) is not None}
        self.has_state = bool(set_state)
        self._values: dict[str, Any] = {**plain, **fields}
        if set_state:
            self._values["state"] = set_state.upper()
        self._added = {name: pairs for name in _ADDED if (pairs := new[f"new_{name}"])}
        self._removed_tags = remove_tag

    def __bool__(self) -> bool:
        return bool(self._values or self._added or self._removed_tags)

    def __str__(self) -> str:
        words = [f"{name}={value}" for name, value in self._values.items()]
        words += [
            f"{name} {key}={value}" for name, pairs in self._added.items() for key, value in pairs.items()
        ]
        return ", ".join((*words, *(f"no tag {key}" for key in self._removed_tags)))

    def check(self) -> None:
        """Raise UsageError for what no job can be changed to."""
        from balsam.schemas.checking import check_update
        from balsam.schemas.resources import RESOURCES

        self._values = check_update(RESOURCES["job"], self._values)

    def apply(self, job: "Job") -> None:
        """Change a job here; nothing is sent."""
        for name, value in self._values.items():
            setattr(job, name, value)
        for name, pairs in self._added.items():
            setattr(job, name, {**getattr(job, name), **pairs})
        for key in self._removed_tags:
            job.tags.pop(key, None)
