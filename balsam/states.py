"""Job states, their groups, and the table of transitions; no Django and no database.

The diagram is in ``docs/design/state-machine.md``. ``balsam.core.transitions`` is the only writer of
states; it follows :data:`TRANSITIONS`.
"""

from enum import StrEnum


class JobState(StrEnum):
    """Where a job is on its way."""

    #: Saved; nothing has looked at it yet.
    CREATED = "CREATED"
    #: At least one parent has not finished.
    AWAITING_PARENTS = "AWAITING_PARENTS"
    #: Parents are done; files are to be staged in.
    READY = "READY"
    #: Input files are in the working directory; the preprocess hook is to run.
    STAGED_IN = "STAGED_IN"
    #: Ready to run.
    PREPROCESSED = "PREPROCESSED"
    #: A launcher has started it.
    RUNNING = "RUNNING"
    #: The application exited with 0; the postprocess hook is to run.
    RUN_DONE = "RUN_DONE"
    #: The application exited with another code or was killed by a signal. (One that cannot start is FAILED.)
    RUN_ERROR = "RUN_ERROR"
    #: The launcher ran out of time, or was told to stop, while the application ran.
    RUN_TIMEOUT = "RUN_TIMEOUT"
    #: Ready to run again.
    RESTART_READY = "RESTART_READY"
    #: The postprocess hook is done; files are to be staged out.
    POSTPROCESSED = "POSTPROCESSED"
    #: Everything is done.
    JOB_FINISHED = "JOB_FINISHED"
    #: It cannot go on; the history says why.
    FAILED = "FAILED"
    #: A user killed it.
    USER_KILLED = "USER_KILLED"


S = JobState

#: Some step (parents, staging, hook) is to be done before the job can go on.
PROCESSABLE_STATES = (
    S.CREATED,
    S.AWAITING_PARENTS,
    S.READY,
    S.STAGED_IN,
    S.RUN_DONE,
    S.POSTPROCESSED,
    S.RUN_TIMEOUT,
    S.RUN_ERROR,
)
#: A launcher may start it.
RUNNABLE_STATES = (S.PREPROCESSED, S.RESTART_READY)
ACTIVE_STATES = (S.RUNNING,)
#: Nothing moves it any more but an explicit reset.
END_STATES = (S.JOB_FINISHED, S.FAILED, S.USER_KILLED)
STATES = PROCESSABLE_STATES + RUNNABLE_STATES + ACTIVE_STATES + END_STATES

#: States in which a processing component has work to do on the job itself.
HOOK_STATES = (S.READY, S.STAGED_IN, S.RUN_DONE, S.RUN_ERROR, S.RUN_TIMEOUT, S.POSTPROCESSED)

#: A step of its own is to be done in these; in READY only once its transfers are done.
STEP_STATES = tuple(state for state in HOOK_STATES if state is not S.POSTPROCESSED)

#: What may follow what, without a user's explicit reset.
TRANSITIONS: dict[JobState, tuple[JobState, ...]] = {
    S.CREATED: (S.AWAITING_PARENTS, S.READY, S.STAGED_IN, S.PREPROCESSED),
    S.AWAITING_PARENTS: (S.READY, S.STAGED_IN, S.PREPROCESSED),
    S.READY: (S.STAGED_IN, S.PREPROCESSED, S.AWAITING_PARENTS),
    S.STAGED_IN: (S.PREPROCESSED, S.READY, S.AWAITING_PARENTS),
    S.PREPROCESSED: (S.RUNNING, S.READY, S.STAGED_IN, S.AWAITING_PARENTS),
    S.RESTART_READY: (S.RUNNING, S.AWAITING_PARENTS),
    S.RUNNING: (S.RUN_DONE, S.RUN_ERROR, S.RUN_TIMEOUT, S.RESTART_READY),
    S.RUN_DONE: (S.POSTPROCESSED, S.JOB_FINISHED),
    S.RUN_ERROR: (S.RESTART_READY, S.POSTPROCESSED),
    S.RUN_TIMEOUT: (S.RESTART_READY, S.POSTPROCESSED),
    S.POSTPROCESSED: (S.JOB_FINISHED,),
    S.JOB_FINISHED: (),
    S.FAILED: (),
    S.USER_KILLED: (),
}


def may_follow(state: JobState, new: JobState) -> bool:
    """Say whether ``new`` may follow ``state`` without an explicit reset by a user.

    FAILED and USER_KILLED may follow every state that is not an end state.
    """
    if new in (S.FAILED, S.USER_KILLED):
        return state not in END_STATES
    return new in TRANSITIONS[state]


class BatchJobState(StrEnum):
    """Where a batch job, an allocation asked of a scheduler, is on its way."""

    #: Intended; the scheduler has not taken it yet, or nobody knows whether it has.
    PENDING_SUBMISSION = "pending_submission"
    #: It waits in a queue of the scheduler.
    QUEUED = "queued"
    #: The scheduler has started it.
    RUNNING = "running"
    #: A user wants it gone; the scheduler has not confirmed that yet.
    PENDING_DELETION = "pending_deletion"
    #: It has ended, in whatever way; see `BatchJobEnd`.
    FINISHED = "finished"
    #: The scheduler has refused it.
    SUBMIT_FAILED = "submit_failed"
    #: The scheduler says something of it that is in no table; never stored.
    UNKNOWN = "unknown"


#: Nothing moves it any more.
BATCH_JOB_END_STATES = (BatchJobState.FINISHED, BatchJobState.SUBMIT_FAILED)
#: The scheduler has it, or may have it.
BATCH_JOB_LIVE_STATES = (
    BatchJobState.PENDING_SUBMISSION,
    BatchJobState.QUEUED,
    BatchJobState.RUNNING,
    BatchJobState.PENDING_DELETION,
)


class BatchJobEnd(StrEnum):
    """How a batch job ended."""

    #: Its script exited with 0.
    COMPLETED = "completed"
    #: Its script exited with another code.
    FAILED = "failed"
    #: Its time was over.
    TIMEOUT = "timeout"
    #: Somebody cancelled it.
    CANCELLED = "cancelled"
    #: The scheduler took its nodes for another.
    PREEMPTED = "preempted"
    #: A node of it died.
    NODE_FAIL = "node_fail"
    #: It used more memory than it had.
    OUT_OF_MEMORY = "out_of_memory"
    #: The scheduler lists it no more, and keeps no account of it.
    VANISHED = "vanished"
    #: It has ended, and nobody says how.
    UNKNOWN = "unknown"


class TransferState(StrEnum):
    """Where a transfer of a file or directory, into a working directory or out of it, is on its way."""

    #: Its job does not want it yet, or no more.
    AWAITING_JOB = "awaiting_job"
    #: To be done.
    PENDING = "pending"
    #: Somebody is at it.
    ACTIVE = "active"
    #: To be tried again later; its ``transfer_info`` says what is in the way.
    INACTIVE = "inactive"
    #: Done, and whole.
    DONE = "done"
    #: Given up, or cancelled; its job has failed for it.
    ERROR = "error"


#: It is to be done, or being done.
TRANSFER_OPEN_STATES = (TransferState.PENDING, TransferState.ACTIVE, TransferState.INACTIVE)
