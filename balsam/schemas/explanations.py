"""Why a job is where it is, in words and for programs."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Explanation", "Reason"]


class Reason(StrEnum):
    """The one thing that decides; names stay, since programs may read them."""

    #: Parents have not ended yet.
    PARENTS = "parents"
    #: A parent has failed, was killed or is to be mended, and the job is held for that.
    PARENT_FAILED = "parent_failed"
    #: It waits for parents, and has none that it could wait for.
    NO_PARENT = "no_parent"
    #: Saved this moment.
    NEW = "new"
    #: It names no application, or one that is not there.
    NO_APP = "no_app"
    #: A hook or staging is under way.
    STEP_RUNS = "step_runs"
    #: A hook or staging is to be done, and somebody is there to do it.
    STEP_WAITS = "step_waits"
    #: A hook or staging is to be done, and nobody is there to do it.
    NO_AGENT = "no_agent"
    #: Files are to be moved, and wait for somebody to log in, or to make room.
    TRANSFER_NEEDS_YOU = "transfer_needs_you"
    #: Files are to be moved, and the agent leaves that alone.
    NO_MOVER = "no_mover"
    #: The agent is not heard of any more.
    AGENT_SILENT = "agent_silent"
    #: The agent is there, and what it does fails.
    AGENT_FAILS = "agent_fails"
    #: A launcher has it, and starts it when there is room.
    CLAIMED = "claimed"
    #: A launcher that could run it is there.
    LAUNCHER_BUSY = "launcher_busy"
    #: A batch job that could run it waits in the scheduler's queue.
    BATCH_JOB_QUEUED = "batch_job_queued"
    #: A batch job that could run it has been asked for, and not been submitted.
    BATCH_JOB_PENDING = "batch_job_pending"
    #: A batch job that could run it has begun, and its launcher has not shown itself.
    BATCH_JOB_STARTS = "batch_job_starts"
    #: There are launchers or batch jobs, and none of them can run it.
    NOTHING_FITS = "nothing_fits"
    #: No node or queue of the site is large enough.
    IMPOSSIBLE = "impossible"
    #: There is neither a launcher nor a batch job.
    NO_LAUNCHER = "no_launcher"
    #: It runs.
    RUNNING = "running"
    #: Whoever has it is not heard of any more.
    HOLDER_LOST = "holder_lost"
    #: Its program ended with an error.
    PROGRAM_FAILED = "program_failed"
    #: It could not be started, or a step before or after the program failed.
    STEP_FAILED = "step_failed"
    #: It ran out of time too often.
    TIMED_OUT = "timed_out"
    #: A user set it to FAILED.
    FAILED_BY_USER = "failed_by_user"
    #: A user killed it.
    KILLED = "killed"
    #: All is done.
    FINISHED = "finished"
    #: All is done, and files are still to be deleted that the application does not want to keep.
    TO_BE_CLEANED = "to_be_cleaned"
    #: All is done, and those files have been deleted.
    CLEANED = "cleaned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why a job is in its state, and what comes next."""

    id: int
    job_id: str
    #: Its working directory below the data of its site, or its name.
    name: str
    site: str
    state: str
    reason: str
    #: Nothing moves it until somebody does something.
    needs_you: bool
    #: One sentence or two.
    text: str
    #: What that was seen from; each a sentence.
    details: tuple[str, ...]
    #: A command to type, or what happens by itself.
    next_step: str
    #: File of its output, as its site's host calls it.
    output: str
    #: Host on which its site was last at work; '' where nobody knows.
    host: str
