"""What a site allows of a batch job: the same wherever it is asked for, made, and submitted."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

__all__ = ["ASKED_BY", "ASKED_QUEUE", "BatchLimits", "Shape"]

#: By which agents know what their own modules have asked for, and the queue that was meant, whatever queue
#: the scheduler puts it into.
ASKED_BY = "asked_by"
ASKED_QUEUE = "asked_queue"
_OWN_PARAMS = (ASKED_BY, ASKED_QUEUE)
#: What is asked for -> the limit of a queue, and its unit.
_SIZES = (("num_nodes", "max_nodes", "nodes"), ("wall_time_min", "max_walltime", "minutes"))


class Shape(Protocol):
    """What is compared: of a request, of a batch job, or of an object of the Python API."""

    @property
    def project(self) -> str: ...
    @property
    def queue(self) -> str: ...
    @property
    def num_nodes(self) -> int: ...
    @property
    def wall_time_min(self) -> int: ...
    @property
    def optional_params(self) -> Mapping[str, str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchLimits:
    """Limits, as the record of a site has them; of queues or projects, none named means any.

    A site that names nothing at all has not told its settings: it allows everything.
    """

    #: Queue -> ``max_nodes``, ``max_walltime`` in minutes; a missing one bounds nothing.
    allowed_queues: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    allowed_projects: Sequence[str] = ()
    optional_batch_job_params: Mapping[str, str] = field(default_factory=dict)

    def refusal(self, asked: Shape) -> str:
        """Say what of a batch job is not allowed; '' when all is fine."""
        if not (self.allowed_queues or self.allowed_projects or self.optional_batch_job_params):
            return ""
        if self.allowed_projects and asked.project not in self.allowed_projects:
            return _unknown("project", asked.project, self.allowed_projects, "allowed_projects")
        params = self.optional_batch_job_params
        for name in asked.optional_params:
            if name not in (*params, *_OWN_PARAMS):
                problem = _unknown("extra parameter", name, params, "optional_batch_job_params")
                return f"{problem} Its job template takes no parameter {name}."
        return self._refusal_of_queue(asked) if self.allowed_queues else ""

    def _refusal_of_queue(self, asked: Shape) -> str:
        limits = self.allowed_queues.get(asked.queue)
        if limits is None:
            return _unknown("queue", asked.queue, self.allowed_queues, "allowed_queues")
        for name, key, unit in _SIZES:
            size = getattr(asked, name)
            if size > limits.get(key, size):
                return f"{size} {unit} are more than the {limits[key]} of the queue {asked.queue!r}."
        return ""


def _unknown(what: str, name: str, known: Iterable[str], key: str) -> str:
    names = ", ".join(known) or "none"
    return f"The site does not know the {what} {name!r}. It knows: {names}. See {key} in its settings.yml."
