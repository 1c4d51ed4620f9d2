"""Batch jobs at a scheduler: render the script, submit it exactly once, follow it, cancel it."""

from balsam.batch.cancelling import cancel
from balsam.batch.desk import Desk, open_desk, open_site_desk
from balsam.batch.refreshing import Refreshed, refresh
from balsam.batch.requests import checked
from balsam.batch.submitting import submit, submit_request

__all__ = [
    "Desk",
    "Refreshed",
    "cancel",
    "checked",
    "open_desk",
    "open_site_desk",
    "refresh",
    "submit",
    "submit_request",
]
