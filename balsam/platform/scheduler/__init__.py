"""Batch systems: one adapter each, behind one contract."""

from balsam.platform.scheduler.contract import (
    Allocation,
    BackfillWindow,
    Cancellation,
    History,
    Listing,
    PastBatchJob,
    QueuedBatchJob,
    SchedulerAdapter,
    Submission,
    SubmitRequest,
)
from balsam.platform.scheduler.registry import (
    KNOWN_SCHEDULERS,
    current_allocation,
    detect_scheduler,
    load_scheduler,
)

__all__ = [
    "KNOWN_SCHEDULERS",
    "Allocation",
    "BackfillWindow",
    "Cancellation",
    "History",
    "Listing",
    "PastBatchJob",
    "QueuedBatchJob",
    "SchedulerAdapter",
    "Submission",
    "SubmitRequest",
    "current_allocation",
    "detect_scheduler",
    "load_scheduler",
]
