"""Tell a worker which jobs to run, in messages that the channel can carry.

A job whose command and environment are larger than any message becomes one that fails alone, with the reason.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace

from balsam.launcher.channel import MAX_FRAME_BYTES, Message
from balsam.schemas.jobs import JobSpec

__all__ = ["run_messages"]

#: `dataclasses.asdict` would copy every environment, on the hot path.
_NAMES = tuple(field.name for field in fields(JobSpec))
#: What one character may become in JSON: an escaped pair of surrogates.
_BYTES_PER_CHARACTER = 12
#: Everything in a job but its texts.
_FIXED_BYTES = 1000
#: What a message holds beside its jobs, and what parts two of them.
_ENVELOPE_BYTES = len(json.dumps({"type": "run", "jobs": []}))
_SEPARATOR_BYTES = len(", ")


def run_messages(specs: Iterable[JobSpec], *, limit: int = MAX_FRAME_BYTES) -> Iterator[Message]:
    """Yield messages of at most ``limit`` bytes that together hold all jobs, in their order."""
    batch: list[Message] = []
    room = limit - _ENVELOPE_BYTES
    for spec in specs:
        job, size = _encoded(spec, limit)
        if size > room and batch:
            yield {"type": "run", "jobs": batch}
            batch, room = [], limit - _ENVELOPE_BYTES
        batch.append(job)
        room -= size
    if batch:
        yield {"type": "run", "jobs": batch}


def _encoded(spec: JobSpec, limit: int) -> tuple[Message, int]:
    """Return a job as it is sent, and a bound of its size in bytes."""
    size = _FIXED_BYTES + _BYTES_PER_CHARACTER * _characters(spec)
    job = {name: getattr(spec, name) for name in _NAMES}
    if size <= limit // 2:
        return job, size
    size = len(json.dumps(job)) + _SEPARATOR_BYTES
    if size <= limit // 2:
        return job, size
    problem = (
        f"Cannot start {spec.name[:80]!r}: its command and environment take {size} bytes; at most "
        f"{limit // 2} can be sent to where it runs. Put long values into a file in the working directory."
    )
    bare = replace(
        spec,
        name=spec.name[:80],
        command="",
        envscript="",
        workdir="",
        mpi_flags="",
        environ={},
        record={},
        problem=problem,
    )
    return _encoded(bare, limit)


def _characters(spec: JobSpec) -> int:
    texts = (spec.name, spec.command, spec.problem, spec.envscript, spec.workdir, spec.mpi_flags)
    record = len(json.dumps(spec.record)) if spec.record else 0
    return record + sum(map(len, texts)) + sum(len(n) + len(value) for n, value in spec.environ.items())
