"""What the one who moves files is told of transfers, and what it reports of them."""

from dataclasses import dataclass

from balsam.schemas.sessions import Selection

__all__ = ["TransferClaim", "TransferClaimRequest", "TransferResult", "TransferSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferClaimRequest(Selection):
    """Ask for at most ``limit`` transfers that are to be done now.

    ``held`` are those that the asker knows it has: others of its session are handed out again.
    """

    session_id: int
    limit: int
    held: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferSpec:
    """One file or directory to move, as it was claimed."""

    item_id: int
    job_id: str
    #: The number of this start; it is told with the result.
    attempt: int
    #: Starts before it that were of no avail.
    failures: int
    #: in or out.
    direction: str
    #: '': made of the job's stage_in_url, or of its stage_out_url and stage_out_files.
    slot: str
    location_alias: str
    #: What the site's record says of the alias: ``protocol://place``.
    location: str
    remote_path: str
    local_path: str
    recursive: bool
    workdir: str
    #: The directory of the site in which working directories are.
    data_path: str
    #: What an earlier start has left running elsewhere.
    task_id: str = ""


@dataclass(frozen=True, slots=True)
class TransferClaim:
    """Transfers to do, and the seconds until another is to be tried again; None: none is.

    ``unwanted`` are those the asker thinks it has, and that are not its any more: nobody wants them done.
    """

    items: tuple[TransferSpec, ...]
    next_sec: float | None = None
    unwanted: tuple[int, ...] = ()
    #: What BALSAM_SESSION is in the environment of the session's processes.
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferResult:
    """What became of a transfer.

    ``state`` is done, error (given up), or inactive: it is to be tried again in ``retry_sec``, and waits for
    what ``message`` says; active says that ``task_id`` has been begun, or how much has come so far.
    ``is_failure`` counts it as a try; ``needs_you``: it is of no use before somebody does what it says.
    """

    item_id: int
    attempt: int
    state: str
    message: str = ""
    retry_sec: float = 0.0
    is_failure: bool = False
    size_bytes: int = 0
    #: Of which it will be so many in the end; 0: unknown.
    total_bytes: int = 0
    took_sec: float = 0.0
    task_id: str = ""
    needs_you: bool = False
