"""Jobs for tests of placement, of which only what they ask for matters."""

from typing import Any

from balsam.schemas.jobs import JobSpec

__all__ = ["job"]


def job(job_id: str = "1", **fields: Any) -> JobSpec:
    """Make a job that asks for nothing but ``fields``; ``packing`` is short for its packing count."""
    fields.setdefault("node_packing_count", fields.pop("packing", 1))
    return JobSpec(job_id=job_id, name=job_id, attempt=1, command="true", workdir="/tmp", **fields)
