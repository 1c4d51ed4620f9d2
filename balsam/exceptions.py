"""Every error Balsam raises on purpose.

::

    BalsamError
    ├── UsageError                  exit 2: the request itself is wrong
    │   ├── InvalidStateError       (also ValueError)
    │   ├── InvalidParentsError     (also ValueError)
    │   │   └── CycleError
    │   ├── NoApplication           (also ValueError)
    │   ├── UnknownFieldError       (also TypeError, ValueError)
    │   ├── DefinitionError         (also AttributeError) an application class cannot be used
    │   ├── NotInJobError           (also RuntimeError)
    │   └── ConfigError             a file the user edits is wrong
    ├── NotFoundError               exit 3: nothing matches
    │   └── JobGoneError            (also RuntimeError) BALSAM_JOB_ID names no job
    ├── AmbiguousError              exit 3: several match
    ├── RefusedError                exit 4: some or all of the request was refused
    │   ├── NotAllowedError         the login is not for this
    │   └── TooManyTriesError       tried too often of late
    ├── LoginRefusedError           exit 5: another machine does not let this user in
    ├── LoginNeededError            exit 5: a server wants a login, or another one
    ├── UnreachableError            exit 6: what holds the jobs does not answer; transient
    ├── ServerError                 exit 6: a server failed, or cannot be reached
    │   └── ServerUnreachable       (also UnreachableError)
    ├── DatabaseError               exit 6: the database cannot be reached, started or created
    │   ├── NoDatabaseError         no database is active
    │   └── DatabaseUnreachable     (also UnreachableError)
    ├── ConflictError               exit 7: somebody else holds it, or it is there already
    │   ├── DuplicateEdgeError      (also RuntimeError)
    │   └── LeaseLostError          this process's session has been taken over
    ├── ChannelError                a launcher's head and worker cannot talk to each other
    ├── WorkerError                 a launcher's worker cannot be started, or keeps dying
    ├── JobStartError               one job cannot be started; the reason is its own
    ├── StepError                   a hook or the staging of one job failed; the reason is its own
    │   └── StorageFullError        no room is left where a file is to be written
    ├── TransferWait                files cannot be moved just now, and somebody has to see to it
    ├── StepInterrupted             a step was told to end before it was done
    ├── TaskFailed                  a job that somebody waits for has failed
    └── WaitTimeout                 exit 8 (also TimeoutError)

The docstring of a class is its default message. ``transient`` says whether trying again may help;
``exit_code`` is what the command line ends with.
"""

from typing import ClassVar


class BalsamError(Exception):
    """Something went wrong."""

    transient: ClassVar[bool] = False
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message if message is not None else (self.__doc__ or "").strip())


class UsageError(BalsamError):
    """The request cannot be understood."""

    exit_code = 2


class InvalidStateError(UsageError, ValueError):
    """No such job state, or the job cannot enter it."""


class InvalidParentsError(UsageError, ValueError):
    """The parents given are not jobs of this database."""


class CycleError(InvalidParentsError):
    """The dependency would close a cycle."""


class NoApplication(UsageError, ValueError):
    """The job names no application."""


class UnknownFieldError(UsageError, TypeError, ValueError):
    """There is no such field."""


class DefinitionError(UsageError, AttributeError):
    """The application class is not complete, or contradicts itself."""


class NotInJobError(UsageError, RuntimeError):
    """This process is not inside a job: BALSAM_JOB_ID is not set."""


class ConfigError(UsageError):
    """A configuration file cannot be read."""


class NotFoundError(BalsamError):
    """Nothing matches."""

    exit_code = 3


class JobGoneError(NotFoundError, RuntimeError):
    """BALSAM_JOB_ID names a job that is not in the database."""


class AmbiguousError(BalsamError):
    """Several match where one is needed."""

    exit_code = 3


class RefusedError(BalsamError):
    """The request was refused."""

    exit_code = 4


class NotAllowedError(RefusedError):
    """This login is not for that."""


class TooManyTriesError(RefusedError):
    """Too many tries. Wait a while, then try again."""

    def __init__(self, message: str | None = None, retry_after_sec: int = 60) -> None:
        super().__init__(message)
        self.retry_after_sec = retry_after_sec


class LoginRefusedError(BalsamError):
    """The other machine does not let you in."""

    exit_code = 5


class LoginNeededError(BalsamError):
    """The server wants a login: type `balsam login`."""

    exit_code = 5


class UnreachableError(BalsamError):
    """What holds the jobs does not answer."""

    exit_code = 6
    transient = True


class ServerError(BalsamError):
    """The server does not answer as it should."""

    exit_code = 6
    transient = True


class ServerUnreachable(ServerError, UnreachableError):
    """The server does not answer."""


class DatabaseError(BalsamError):
    """The database cannot be used."""

    exit_code = 6


class NoDatabaseError(DatabaseError):
    """No database is active.

    Activate one with `. balsamactivate DIR`; `balsam which --list` shows the known ones and
    `balsam init DIR` makes a new one.
    """


class DatabaseUnreachable(DatabaseError, UnreachableError):
    """The database does not answer."""


class ConflictError(BalsamError):
    """Somebody else holds it."""

    exit_code = 7


class DuplicateEdgeError(ConflictError, RuntimeError):
    """The one job depends on the other already."""


class LeaseLostError(ConflictError):
    """This process's session has ended or was taken over; what it reports is refused."""


class ChannelError(BalsamError):
    """The head of a launcher and its worker cannot talk to each other."""


class WorkerError(BalsamError):
    """A worker of the launcher cannot be started, or keeps dying."""


class JobStartError(BalsamError):
    """The job cannot be started."""


class StepError(BalsamError):
    """A hook or the staging of the job failed."""


class StorageFullError(StepError):
    """No room is left where a file is to be written."""

    transient = True


class TransferWait(BalsamError):
    """Files cannot be moved just now. ``needs_you``: nor ever, before somebody does what it says."""

    transient = True

    def __init__(self, message: str, *, needs_you: bool = False) -> None:
        super().__init__(message)
        self.needs_you = needs_you


class StepInterrupted(BalsamError):
    """The step was told to end before it was done."""


class StepUnwanted(StepInterrupted):
    """The step was told to end, and nobody is to do it again: it was cancelled, or its job was."""


class TaskFailed(BalsamError):
    """The job has failed."""


class WaitTimeout(BalsamError, TimeoutError):
    """The wait ended before the condition held."""

    exit_code = 8
