"""Which directories `balsam job archive` packs, and why others are not."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from balsam.exceptions import ConflictError, NotFoundError, UsageError
from balsam.lib.archives import Entry, differences, index_of
from balsam.lib.beneath import is_below
from balsam.states import END_STATES, JobState

if TYPE_CHECKING:
    from balsam.api.models import Job

__all__ = ["Packing", "plan_packing"]


@dataclass(slots=True)
class Packing:
    """Directories below the data of a site, and the jobs they are of; ``refused``: the others, and why."""

    top: Path
    #: What the archive has, if there is one already.
    index: Mapping[str, Entry]
    jobs: "list[Job]" = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)

    def add(self, job: "Job", why_not: str, name: str) -> None:
        """Take a job, or refuse it."""
        if why_not:
            self.refused[job.id] = why_not
            return
        self.jobs.append(job)
        self.names.append(os.path.normpath(name))

    def present(self) -> list[str]:
        """Return the directories that are there still."""
        return [name for name in self.names if (self.top / name).is_dir()]

    def compare(self, target: Path) -> None:
        """Raise ConflictError unless all that is there is in the archive too."""
        for name in self.present():
            if changed := differences(self.top, name, self.index):
                raise ConflictError(
                    f"{target} is there already, and has not all of {self.top / name}: {changed[0]} is "
                    "missing, or another. Give the archive another name."
                )

    def note(self) -> str:
        """Say which jobs the directories are of."""
        of_each = [
            {"id": job.id, "workdir": job.workdir, "state": job.state, "tags": dict(job.tags)}
            for job in self.jobs
        ]
        return json.dumps({"data": str(self.top), "jobs": of_each}, indent=1, default=str)


def plan_packing(jobs: "Sequence[Job]", target: Path, *, removes: bool) -> Packing:
    """Decide what is packed. Raises UsageError for several sites, NotFoundError for one of another host."""
    packing = Packing(_data_of(jobs), index_of(target) if target.exists() else {})
    needed = _needed_by_others(jobs) if removes else _Needed()
    for job in jobs:
        name, why_not = _name_of(job, packing.top)
        if not why_not:
            why_not = _refusal(job, name, packing, target) or needed.refusal(job, name)
        packing.add(job, why_not, name)
    packing.names = _outermost(packing.names)
    return packing


def _outermost(names: Iterable[str]) -> list[str]:
    """Leave out the directories that are in others."""
    kept: list[str] = []
    for name in sorted(set(names), key=lambda name: (len(Path(name).parts), name)):
        if not any(is_below(name, other) for other in kept):
            kept.append(name)
    return kept


def _data_of(jobs: "Sequence[Job]") -> Path:
    """Return the directory of the site in which the directories of jobs are."""
    from balsam.api.models import Site

    sites = sorted({job.site_id for job in jobs})
    if len(sites) > 1:
        raise UsageError("The jobs are of several sites, and an archive is of one. Say which: --site NAME.")
    site = Site.objects.get(id=sites[0])
    data = Path(site.path, "data")
    if not data.is_dir():
        raise NotFoundError(
            f"The directories of the site {site.name} are not on this host: there is no {data}. "
            "Run the command where they are."
        )
    return data.resolve()


def _name_of(job: "Job", top: Path) -> tuple[str, str]:
    """Return the directory of a job below ``top``, or why it cannot be packed."""
    from balsam.api.connection import client

    if job.workdir:
        return str(job.workdir), ""
    path = Path(client().explain_job(job.id).output).parent
    try:
        return str(path.resolve().relative_to(top)), ""
    except ValueError:
        return "", f"its directory {path} is not below {top}"


def _refusal(job: "Job", name: str, packing: Packing, target: Path) -> str:
    """Say why a job is not packed, whatever others need; '': it is."""
    path = packing.top / name
    if JobState(job.state) not in END_STATES:
        return f"it is {job.state}; only jobs that have ended are packed"
    if target.is_relative_to(path):
        return f"the archive would be in its directory {path}"
    if not path.is_dir():
        return "" if name in packing.index else f"it has no directory {path}"
    if path.resolve() != path:
        return f"a link leads to its directory {path}"
    return ""


@dataclass(slots=True)
class _Needed:
    """What jobs that have not finished work with: directories, and those of parents."""

    workdirs: list[tuple[str, int]] = field(default_factory=list)
    #: Parent -> child.
    parents: dict[int, int] = field(default_factory=dict)

    def refusal(self, job: "Job", name: str) -> str:
        """Say who still needs the directory of a job; '': nobody."""
        if job.id in self.parents:
            return f"job {self.parents[job.id]}, its child, has not finished"
        for workdir, other in self.workdirs:
            if other != job.id and is_below(workdir, name):
                return f"job {other}, which has not finished, works in {workdir}"
        return ""


def _needed_by_others(jobs: "Sequence[Job]") -> _Needed:
    """Ask for the jobs of the site that have not finished; those to be packed are in nobody's way."""
    from balsam.api.models import Job

    chosen = {job.id for job in jobs if JobState(job.state) in END_STATES}
    needed = _Needed()
    for other in Job.objects.filter(site_id=jobs[0].site_id, state__ne=[JobState.JOB_FINISHED]):
        if other.id in chosen:
            continue
        if other.workdir:
            needed.workdirs.append((str(other.workdir), other.id))
        if JobState(other.state) not in END_STATES:
            needed.parents.update(dict.fromkeys(other.parent_ids, other.id))
    return needed
