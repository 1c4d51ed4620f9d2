"""What a site allows of a batch job: told before it is asked for. A site that has told nothing allows all."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from balsam.exceptions import UsageError

if TYPE_CHECKING:
    from balsam.api.models import Site

__all__ = ["check_limits", "check_parts", "read_part"]


def check_limits(
    site: "Site", *, queue: str, project: str, num_nodes: int, minutes: int, params: Mapping[str, str]
) -> None:
    """Raise UsageError for what the settings of the site do not allow."""
    if site.allowed_projects and project not in site.allowed_projects:
        raise _unknown("project", project, site.allowed_projects, "allowed_projects")
    if not site.allowed_queues:
        return
    for name in params:
        if name not in site.optional_batch_job_params:
            known = site.optional_batch_job_params
            raise _unknown("extra parameter", name, known, "optional_batch_job_params")
    limits = site.allowed_queues.get(queue)
    if limits is None:
        raise _unknown("queue", queue, site.allowed_queues, "allowed_queues")
    for asked, what, key in ((num_nodes, "nodes", "max_nodes"), (minutes, "minutes", "max_walltime")):
        if asked > limits.get(key, asked):
            raise UsageError(f"{asked} {what} are more than the {limits[key]} of the queue {queue!r}.")


def _unknown(what: str, name: str, known: Iterable[str], key: str) -> UsageError:
    names = ", ".join(known) or "none"
    return UsageError(
        f"The site does not know the {what} {name!r}. It knows: {names}. See {key} in its settings.yml."
    )


def read_part(text: str) -> dict[str, Any]:
    """Read ``MODE:NODES[:KEY=VALUE...]``; raises UsageError."""
    mode, _, rest = text.partition(":")
    count, *tags = rest.split(":")
    is_count = count.isdecimal() and int(count) > 0
    if mode not in ("serial", "mpi") or not is_count or not all("=" in tag for tag in tags):
        raise UsageError(f"The part {text!r} is not in the format MODE:NODES[:KEY=VALUE...].")
    pairs = dict(tag.split("=", 1) for tag in tags)
    return {"job_mode": mode, "num_nodes": int(count), "filter_tags": pairs}


def check_parts(parts: Sequence[Mapping[str, Any]], num_nodes: int) -> None:
    """Raise UsageError for parts that are not all of the nodes."""
    total = sum(part["num_nodes"] for part in parts)
    if parts and total != num_nodes:
        raise UsageError(f"The parts have {total} nodes; they do not add up to {num_nodes}.")
