"""The tables, and the names scripts of the database generation import."""

from balsam.core.models.account import Account, DeviceLogin, Identity, Login, SentRequest, Token
from balsam.core.models.application import ApplicationDefinition
from balsam.core.models.dependency import JobDependency
from balsam.core.models.event import JobEvent
from balsam.core.models.history import TIME_FMT, from_time_string, get_time_string, history_line
from balsam.core.models.job import BalsamJob
from balsam.core.models.launch import QueuedLaunch
from balsam.core.models.session import Session
from balsam.core.models.site import Site
from balsam.core.models.source import safe_select
from balsam.core.models.transfer import TransferItem
from balsam.core.reports import error_report, process_job_times, throughput_report, utilization_report
from balsam.exceptions import InvalidParentsError, InvalidStateError, NoApplication
from balsam.states import (
    ACTIVE_STATES,
    END_STATES,
    PROCESSABLE_STATES,
    RUNNABLE_STATES,
    STATES,
)

__all__ = [
    "ACTIVE_STATES",
    "END_STATES",
    "PROCESSABLE_STATES",
    "RUNNABLE_STATES",
    "STATES",
    "TIME_FMT",
    "Account",
    "ApplicationDefinition",
    "BalsamJob",
    "DeviceLogin",
    "Identity",
    "InvalidParentsError",
    "InvalidStateError",
    "JobDependency",
    "JobEvent",
    "Login",
    "NoApplication",
    "QueuedLaunch",
    "SentRequest",
    "Session",
    "Site",
    "Token",
    "TransferItem",
    "error_report",
    "from_time_string",
    "get_time_string",
    "history_line",
    "process_job_times",
    "safe_select",
    "throughput_report",
    "utilization_report",
]
