"""What a batch job wrote last: why a launcher could not start is told nowhere else."""

from collections.abc import Sequence
from dataclasses import replace

from balsam.batch.desk import Desk
from balsam.lib.file_end import output_tail
from balsam.schemas.batch_jobs import BatchJobInfo, BatchJobObservation
from balsam.states import BatchJobEnd, BatchJobState

__all__ = ["with_last_words"]

#: Ends of which a scheduler does not say why.
_UNEXPLAINED = (BatchJobEnd.FAILED, BatchJobEnd.VANISHED, BatchJobEnd.UNKNOWN)
#: Where schedulers put errors, and what comes together with other output.
_FILES = (".error", ".output")
_LINES = 3
_MAX_CHARS = 600


def with_last_words(
    desk: Desk, infos: Sequence[BatchJobInfo], observations: Sequence[BatchJobObservation]
) -> list[BatchJobObservation]:
    """Return the observations; ends that a scheduler does not explain say what was written last."""
    ours = {info.scheduler_id: info for info in infos if info.from_balsam and info.scheduler_id}
    return [_told(desk, ours.get(seen.scheduler_id), seen) for seen in observations]


def _told(desk: Desk, info: BatchJobInfo | None, seen: BatchJobObservation) -> BatchJobObservation:
    is_its_end = seen.state is BatchJobState.FINISHED and seen.end in _UNEXPLAINED
    if info is None or not is_its_end or seen.name not in ("", info.marker):
        return seen
    parts = (seen.reason, _last_words(desk, info))
    return replace(seen, reason="; ".join(part for part in parts if part))


def _last_words(desk: Desk, info: BatchJobInfo) -> str:
    """Return the last lines of what a batch job has written, as one; '' when there are none."""
    for ending in _FILES:
        path = desk.script_of(info).with_suffix(ending)
        lines = [line.strip() for line in output_tail(str(path)).splitlines() if line.strip()]
        if lines:
            text = " / ".join(lines[-_LINES:])
            return f"{path.name} ends: {text if len(text) <= _MAX_CHARS else '…' + text[-_MAX_CHARS:]}"
    return ""
