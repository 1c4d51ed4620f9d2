"""Job steps for tests."""

import uuid
from pathlib import Path
from typing import Any

from balsam.schemas.jobs import ParentDir, StepSpec
from balsam.states import JobState


def step_spec(workdir: Path | str, state: JobState = JobState.READY, **fields: Any) -> StepSpec:
    """Describe a step in ``workdir``; a job id and a name are made up where none is given."""
    defaults: dict[str, Any] = {"job_id": str(uuid.uuid4()), "name": "test", "attempt": 0}
    return StepSpec(state=state, workdir=str(workdir), **{**defaults, **fields})


def parent_dir(path: Path) -> ParentDir:
    """Make a parent's working directory."""
    path.mkdir(parents=True, exist_ok=True)
    return ParentDir(str(uuid.uuid4()), str(path))
