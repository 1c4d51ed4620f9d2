"""Whether something could run a job, and if not, why: pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from balsam.core.explain.facts import BatchJobFacts, JobFacts, ProcessFacts, SiteFacts
from balsam.core.explain.words import counted, tags_text

__all__ = [
    "Room",
    "beyond_node",
    "beyond_queues",
    "left_out",
    "misfit",
    "queue_for",
    "room_of_launcher",
    "rooms_of_batch_job",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a launcher has for jobs; None or empty where that is not known, or does not matter."""

    mode: str = ""
    num_nodes: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    workflow: str = ""
    minutes: float | None = None
    gpus: int | None = None
    memory_mb: int = 0


def room_of_launcher(launcher: ProcessFacts) -> Room:
    """Return what a launcher has said of itself."""
    about = launcher.about
    limit = about.get("time_limit_min")
    return Room(
        mode=str(about.get("mode", "")),
        num_nodes=about.get("num_nodes"),
        tags=about.get("tags", {}),
        workflow=str(about.get("workflow", "")),
        minutes=None if limit is None else limit - launcher.age_sec / 60,
        gpus=about.get("gpus"),
        memory_mb=int(about.get("memory_mb", 0)),
    )


def rooms_of_batch_job(batch_job: BatchJobFacts) -> list[Room]:
    """Return what a batch job will have, or has: one room for each of its parts."""
    minutes: float = batch_job.wall_time_min
    if batch_job.state == "running":
        minutes -= batch_job.age_sec / 60
    parts: tuple[Mapping[str, Any], ...] = batch_job.partitions or (
        {
            "job_mode": batch_job.job_mode,
            "num_nodes": batch_job.num_nodes,
            "filter_tags": batch_job.tags,
        },
    )
    return [
        Room(
            mode=str(part.get("job_mode", batch_job.job_mode)),
            num_nodes=int(part.get("num_nodes", batch_job.num_nodes)),
            tags=part.get("filter_tags") or {},
            workflow=batch_job.workflow,
            minutes=minutes,
        )
        for part in parts
    ]


def misfit(job: JobFacts, room: Room) -> str:
    """Say why a job cannot run there; '' when it can."""
    return ", and ".join(_misfits(job, room))


def left_out(job: JobFacts, tags: Mapping[str, str], workflow: str) -> Iterator[str]:
    """Say why somebody who looks after a part of the jobs leaves this one out."""
    missing = [f"{key}={value}" for key, value in tags.items() if job.tags.get(key) != value]
    if missing:
        yield f"takes only jobs with the tag {', '.join(missing)}; this one has {tags_text(job.tags)}"
    if workflow and workflow not in job.workflow:
        yield f"takes only jobs whose workflow contains {workflow!r}; that of this one is {job.workflow!r}"


def _misfits(job: JobFacts, room: Room) -> Iterator[str]:
    yield from left_out(job, room.tags, room.workflow)
    if room.num_nodes is not None and job.num_nodes > room.num_nodes:
        yield f"has {counted(room.num_nodes, 'node')}, and the job needs {job.num_nodes}"
    if room.mode == "serial" and job.is_parallel:
        ranks = job.num_nodes * job.ranks_per_node
        yield f"is in serial mode, and the job has {ranks} ranks"
    if room.minutes is not None and job.wall_time_min > room.minutes:
        yield (
            f"has {max(room.minutes, 0):.0f} min left, and the job is expected to run for "
            f"{job.wall_time_min} min"
        )
    if room.gpus is not None and job.gpus > room.gpus:
        yield f"has {counted(room.gpus, 'GPU')} on a node, and the job needs {job.gpus:g}"
    if room.memory_mb and job.memory_mb > room.memory_mb:
        yield f"has {room.memory_mb} MB of memory on a node, and the job needs {job.memory_mb}"


def beyond_node(job: JobFacts, site: SiteFacts) -> str:
    """Say what a job needs of a node that no node of the site has; '' where that is not known."""
    gpus, memory_mb = site.node.get("gpus"), site.node.get("memory_mb")
    if gpus is not None and job.gpus > gpus:
        return (
            f"It needs {job.gpus:g} GPUs on a node ({job.ranks_per_node} ranks with {job.gpus_per_rank:g} "
            f"each), and a node of {site.name} has {gpus}"
        )
    if memory_mb and job.memory_mb > memory_mb:
        return f"It needs {job.memory_mb} MB of memory on a node, and a node of {site.name} has {memory_mb}"
    return ""


def beyond_queues(job: JobFacts, site: SiteFacts) -> str:
    """Say why no queue of the site takes a batch job for it; '' when one does, or none is known."""
    if not site.queues or queue_for(job, site):
        return ""
    limits = "; ".join(
        f"{name} takes {limit.get('max_nodes', 'any number of')} nodes "
        f"for {limit.get('max_walltime', 'any number of')} min"
        for name, limit in site.queues.items()
    )
    return (
        f"It needs {counted(job.num_nodes, 'node')} for {job.wall_time_min} min, and no queue of {site.name} "
        f"takes that: {limits}"
    )


def queue_for(job: JobFacts, site: SiteFacts) -> str:
    """Return the first queue that takes a batch job for it; '' for none."""
    return next(
        (
            name
            for name, limit in site.queues.items()
            if job.num_nodes <= limit.get("max_nodes", job.num_nodes)
            and job.wall_time_min <= limit.get("max_walltime", job.wall_time_min)
        ),
        "",
    )
