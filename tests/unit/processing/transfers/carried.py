"""Carry one transfer without a database."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from balsam.exceptions import StepError, UsageError
from balsam.platform.transfer import Endpoint
from balsam.processing.interruption import Interruption
from balsam.processing.transfers.carrying import Carrier
from balsam.processing.transfers.logins import Logins
from balsam.processing.transfers.outcomes import given_up
from balsam.processing.transfers.planning import Plan, plan
from balsam.schemas.transfers import TransferResult, TransferSpec

NO_ENDPOINT = Endpoint()


def transfer_spec(workdir: Path, **fields: Any) -> TransferSpec:
    """Describe a transfer of a job whose working directory is below its parent."""
    defaults: dict[str, Any] = {
        "item_id": 1,
        "job_id": "job",
        "attempt": 1,
        "failures": 0,
        "slot": "",
        "location_alias": "",
        "location": "",
        "recursive": True,
        "workdir": str(workdir),
        "data_path": str(workdir.parent),
    }
    return TransferSpec(**{**defaults, **fields})


def carry(
    plans: Sequence[Plan],
    on_result: Callable[[TransferResult], None],
    on_notes: Callable[[Sequence[TransferResult]], None],
    endpoint: Endpoint = NO_ENDPOINT,
    on_progress: Callable[[TransferResult], None] = lambda progress: None,
) -> None:
    """Carry transfers of one place."""
    Carrier(
        plans,
        Logins(),
        Interruption(),
        on_result,
        on_progress,
        {},
        endpoint=endpoint,
        on_notes=on_notes,
        is_wanted=lambda spec: True,
    ).carry()


def carried(spec: TransferSpec) -> TransferResult:
    """Return what becomes of a transfer."""
    results: list[TransferResult] = []
    try:
        plans = [plan(spec, None)]
    except (StepError, UsageError) as error:
        return given_up(spec, str(error))
    carry(plans, results.append, results.extend)
    (result,) = results
    return result
