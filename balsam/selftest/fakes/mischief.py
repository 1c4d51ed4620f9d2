"""What a fake batch system can be told to do wrong, and doing it."""

import time

from balsam.selftest.fakes.cluster import Cluster
from balsam.selftest.fakes.ledger import Job, Ledger

__all__ = ["KINDS", "Prank", "Reply", "arm", "befallen", "disarm", "play", "spoil", "take"]

#: Kind -> the role of the commands it befalls ('' is any; 'job': a batch job, whatever is called), and what
#: it does, for people.
KINDS = {
    "hang": ("", "do nothing, and never answer"),
    "hang-after": ("", "do what is asked, and never answer"),
    "fail-before": ("", "do nothing, and fail"),
    "fail-after": ("", "do what is asked, and fail"),
    "no-id": ("submit", "take the batch job, and name no id"),
    "garbage": ("", "do what is asked, and answer what nobody can read, with code 0"),
    "empty": ("", "do what is asked, and answer nothing, with code 0"),
    "truncated": ("", "do what is asked, and answer half of the answer, with code 0"),
    "bad-escape": ("", "put a character into the answer that JSON does not allow there"),
    "flood": ("list", "list 100,000 batch jobs more"),
    "late": ("submit", "take the batch job, and list it some seconds later (--seconds)"),
    "reuse-id": ("submit", "give the batch job the id of one that has ended"),
    "array-id": ("submit", "give the batch job the id of an array of batch jobs"),
    "clock-ahead": ("", "show times that are an hour late (--seconds)"),
    "clock-behind": ("", "show times that are an hour early (--seconds)"),
    "forget": ("job", "forget a batch job: it is neither listed nor in any account, but runs on"),
    "lose": ("job", "end a batch job, and forget it"),
    "delete": ("job", "cancel a batch job, as an administrator does"),
    "hold": ("job", "hold a batch job that waits"),
    "requeue": ("job", "put a running batch job back into the queue"),
    "preempt": ("job", "end a running batch job for the sake of another"),
    "node-failure": ("job", "let a node of a running batch job fail"),
    "out-of-memory": ("job", "let a running batch job use too much memory"),
}
_DEFAULT_SECONDS = {"late": 5.0, "clock-ahead": 3600.0, "clock-behind": -3600.0}
_ENDS = {
    "lose": "cancelled", "delete": "cancelled", "requeue": "requeue", "preempt": "preempted",
    "node-failure": "node_fail", "out-of-memory": "out_of_memory",
}  # fmt: skip
#: In which states a batch job can be for it.
_VICTIMS = {"hold": "state = 'queued'", "forget": "state <> 'ended'", "lose": "state <> 'ended'"}
_VICTIMS["delete"] = _VICTIMS["lose"]
_GARBAGE = "\x00\udcff<html><body>503 Service Unavailable</body></html>\n%%% {]\n"


class Reply:
    """What a command answers; ``hangs`` means not at all."""

    __slots__ = ("code", "hangs", "stderr", "stdout")

    def __init__(self, stdout: str = "", stderr: str = "", code: int = 0, *, hangs: bool = False) -> None:
        self.stdout = stdout
        self.stderr = stderr
        self.code = code
        self.hangs = hangs


class Prank:
    """One mischief that befalls this command."""

    __slots__ = ("kind", "seconds")

    def __init__(self, kind: str, seconds: float) -> None:
        self.kind = kind
        self.seconds = seconds


def arm(
    ledger: Ledger, kind: str, *, command: str = "", times: int = 1, probability: float = 1.0,
    seed: str = "", seconds: float | None = None,
) -> None:  # fmt: skip
    """Have the next commands of that name ('' is any it can befall) go wrong."""
    if seconds is None:
        seconds = _DEFAULT_SECONDS.get(kind, 0.0)
    ledger.insert(
        "mischief", kind=kind, command=command, times=times, probability=probability, seed=seed,
        seconds=seconds,
    )  # fmt: skip


def disarm(ledger: Ledger) -> None:
    """Behave from now on."""
    ledger.execute("UPDATE mischief SET times = 0")


def befallen(ledger: Ledger) -> int:
    """Count the mischief there has been."""
    ((count,),) = ledger.execute("SELECT coalesce(sum(hits), 0) FROM mischief")
    return int(str(count))


def take(ledger: Ledger, command: str, role: str) -> list[Prank]:
    """Return what befalls this command, and count it."""
    pranks = []
    with ledger.alone():
        for number, kind, probability, seed, tries, seconds in ledger.execute(
            "SELECT number, kind, probability, seed, tries, seconds FROM mischief "
            "WHERE times > 0 AND command IN ('', ?)",
            command,
        ):
            if not _applies(ledger, str(kind), role):
                continue
            likely = float(str(probability))
            hits = likely >= 1 or _chance(str(seed), int(str(tries))) < likely
            ledger.execute(
                "UPDATE mischief SET tries = tries + 1, hits = hits + ?1, times = times - ?1 "
                "WHERE number = ?2",
                int(hits),
                number,
            )
            if hits:
                pranks.append(Prank(str(kind), float(str(seconds))))
    return pranks


def play(cluster: Cluster, pranks: list[Prank]) -> None:
    """Do to batch jobs what befalls them."""
    for prank in pranks:
        job = _victim(cluster.ledger, prank.kind) if KINDS[prank.kind][0] == "job" else None
        if job is None:
            continue
        if prank.kind in ("forget", "lose"):
            cluster.ledger.change(job.seq, is_forgotten=1)
        if prank.kind == "hold":
            cluster.ledger.change(job.seq, "state = 'queued'", state="held")
        elif prank.kind in _ENDS:
            cluster.ask(job, _ENDS[prank.kind])


def spoil(reply: Reply, pranks: list[Prank]) -> Reply:
    """Change an answer after everything has been done."""
    for kind in (prank.kind for prank in pranks):
        if kind == "hang-after":
            return Reply(hangs=True)
        if kind in ("empty", "no-id"):
            reply = Reply()
        elif kind == "garbage":
            reply = Reply(_GARBAGE)
        elif kind == "truncated":
            reply = Reply(reply.stdout[: len(reply.stdout) // 2])
        elif kind == "bad-escape":
            middle = len(reply.stdout) // 2
            reply = Reply(reply.stdout[:middle] + "\\x" + reply.stdout[middle:], reply.stderr, reply.code)
    return reply


def _applies(ledger: Ledger, kind: str, role: str) -> bool:
    wanted = KINDS[kind][0]
    return _victim(ledger, kind) is not None if wanted == "job" else wanted in ("", role)


def _victim(ledger: Ledger, kind: str) -> Job | None:
    """Return the youngest batch job that can suffer it."""
    where = _VICTIMS.get(kind, "state = 'running' AND supervisor IS NOT NULL")
    found = ledger.jobs(f"NOT is_forgotten AND asked = '' AND {where}")
    return found[-1] if found else None


def _chance(seed: str, count: int) -> float:
    from random import Random  # only here, as it takes 10 ms

    return Random(f"{seed}:{count}").random() if seed else Random(time.time_ns()).random()
