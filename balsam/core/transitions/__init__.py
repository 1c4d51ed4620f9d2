"""The only writer of job states.

Every function locks the jobs it moves, checks that each may be moved, and writes state and history in one
statement. A job's first state is written with its row, and its history entry by the trigger of that insert.
"""

from balsam.core.transitions.family_lock import lock_families, share_families
from balsam.core.transitions.late_parents import note_late
from balsam.core.transitions.opening import open_transfers
from balsam.core.transitions.parents import (
    add_waits,
    delete,
    follow_parents,
    lock_against_end,
    lock_parents,
    re_evaluate,
    replan,
)
from balsam.core.transitions.recovery import recover, require_preprocess
from balsam.core.transitions.reports import report, report_steps
from balsam.core.transitions.requests import annotate, compare_and_set, set_state, user_state
from balsam.core.transitions.transfers import (
    change_transfer,
    free_transfers,
    report_transfers,
)

__all__ = [
    "add_waits",
    "annotate",
    "change_transfer",
    "compare_and_set",
    "delete",
    "follow_parents",
    "free_transfers",
    "lock_against_end",
    "lock_families",
    "lock_parents",
    "note_late",
    "open_transfers",
    "re_evaluate",
    "recover",
    "replan",
    "report",
    "report_steps",
    "report_transfers",
    "require_preprocess",
    "set_state",
    "share_families",
    "user_state",
]
