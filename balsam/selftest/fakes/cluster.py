"""A fake batch system: takes batch jobs within its limits, starts them where nodes are free, ends them."""

import json
import os
import pwd
import signal
import sys
import time
from collections.abc import Mapping

from balsam.selftest.fakes.ledger import Job, Ledger

__all__ = ["Cluster", "Refusal", "python_words", "user_name"]

#: Of a supervisor, to say that it is there.
_START_PATIENCE_SEC = 30.0
#: Ends that leave a batch job no time to write anything down.
_SUDDEN = ("node_fail", "out_of_memory")
#: Whose accounts hold more than one batch job of an id.
_REMEMBER = ("slurm",)


class Refusal(Exception):
    """A batch job is not taken; the text is one of: queue, closed, project, nodes, time, limit, script."""


class Cluster:
    """The batch system of one directory, for the length of one command."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.settings = ledger.settings()

    def submit(
        self, request: Mapping[str, str], script: str, environ: Mapping[str, str], *, is_held: bool = False,
        is_array: bool = False, late_sec: float = 0.0, reuses_id: bool = False,
    ) -> Job:  # fmt: skip
        """Take a batch job; raises Refusal.

        ``request`` gives name, project, queue, num_nodes, minutes, cwd, stdout and stderr; ``script`` is the
        path of what to run. In paths, ``%j`` stands for the id.
        """
        values = {**request, "queue": request["queue"] or next(iter(self.settings.queues))}
        text = self._read(script, values["cwd"])
        with self.ledger.alone():
            self._check(values)
            number = self._next_id(reuses_id=reuses_id)
            seq = self.ledger.insert(
                "job",
                **{name: value.replace("%j", str(number)) for name, value in values.items()},
                id=number,
                user=user_name(),
                script=os.path.join(values["cwd"], script),
                environ=json.dumps(dict(environ)),
                state="held" if is_held else "queued",
                submitted=time.time(),
                listed_from=time.time() + late_sec,
                is_array=int(is_array),
            )
        spooled = self.spool(seq)
        with open(spooled, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
        os.chmod(spooled, 0o700)
        return self.ledger.jobs("seq = ?", seq)[0]

    def spool(self, seq: int) -> str:
        """Name the copy of a script that is run: the user may change the script meanwhile."""
        return os.path.join(self.ledger.directory, "spool", f"{seq}.sh")

    def find(self, number: int) -> Job | None:
        """Return the youngest batch job of that id that is not forgotten."""
        found = self.ledger.jobs("id = ? AND NOT is_forgotten", number)
        return found[-1] if found else None

    def ask(self, job: Job, end: str) -> bool:
        """Ask for an end of a batch job, or ``requeue``; return whether it had not ended."""
        now = time.time()
        with self.ledger.alone():
            waits = "state IN ('queued', 'held')"
            if end == "requeue":
                asked = self.ledger.change(job.seq, "state = 'running'", asked=end)
            else:
                asked = self.ledger.change(job.seq, waits, state="ended", end=end, ended=now)
                asked = asked or self.ledger.change(job.seq, "state = 'running'", asked=end)
            (now_is,) = self.ledger.jobs("seq = ?", job.seq)
        if asked and now_is.state == "running" and now_is.supervisor is not None:
            _signal(now_is.supervisor, signal.SIGUSR1 if end in _SUDDEN else signal.SIGTERM)
        return asked

    def pass_time(self) -> None:
        """Note supervisors that are gone, and start the batch jobs for which there are nodes."""
        with self.ledger.alone():
            for job in self.ledger.jobs("state = 'running'"):
                if _is_lost(job):
                    self.ledger.change(job.seq, state="ended", end="node_fail", ended=time.time())
            free = self.free_nodes()
            for job in self.ledger.jobs("state = 'queued'"):
                if job.num_nodes <= len(free):
                    self._start(job, free[: job.num_nodes])
                    del free[: job.num_nodes]

    def free_nodes(self) -> list[int]:
        """Number the nodes on which nothing runs."""
        running = self.ledger.jobs("state = 'running'")
        taken = {int(node) for job in running for node in job.nodes.split()}
        return [node for node in range(1, self.settings.num_nodes + 1) if node not in taken]

    def minutes_left(self, job: Job) -> float:
        """Return the minutes of wall time a batch job still has."""
        if job.started is None:
            return job.minutes
        return max(0.0, job.minutes - (time.time() - job.started) / self.settings.minute_sec)

    def _start(self, job: Job, nodes: list[int]) -> None:
        """Start a supervisor, which runs nothing before this transaction is over."""
        self.ledger.change(
            job.seq,
            state="running",
            started=time.time(),
            nodes=" ".join(map(str, nodes)),
            launch=job.launch + 1,
            supervisor=None,
        )
        words = python_words("supervisor", self.ledger.directory, str(job.seq), str(job.launch + 1))
        nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
        # by way of a shell, so that it is no child of this process, which may not want to wait for it
        shell = ["/bin/sh", "-c", '"$@" &', "sh", *words]
        os.waitpid(os.posix_spawn(shell[0], shell, os.environ, file_actions=nothing, setsid=True), 0)

    def _next_id(self, *, reuses_id: bool) -> int:
        free = "state = 'ended' AND id NOT IN (SELECT id FROM job WHERE state <> 'ended')"
        ended = self.ledger.jobs(free) if reuses_id else []
        if ended:
            if self.settings.scheduler not in _REMEMBER:
                self.ledger.execute("UPDATE job SET is_forgotten = 1 WHERE id = ?", ended[0].id)
            return ended[0].id
        ((last,),) = self.ledger.execute("SELECT coalesce(max(id), 1000) FROM job")
        return int(str(last)) + 1

    def _read(self, script: str, cwd: str) -> str:
        try:
            with open(os.path.join(cwd, script), encoding="utf-8", errors="surrogateescape") as file:
                return file.read()
        except OSError:
            raise Refusal("script") from None

    def _check(self, values: Mapping[str, str]) -> None:
        """Raise Refusal for a batch job that no real batch system so set up would take."""
        queue = self.settings.queues.get(values["queue"])
        if queue is None:
            raise Refusal("queue")
        if queue.get("is_closed"):
            raise Refusal("closed")
        if self.settings.projects and values["project"] not in self.settings.projects:
            raise Refusal("project")
        if not 0 < int(values["num_nodes"]) <= queue.get("max_nodes", self.settings.num_nodes):
            raise Refusal("nodes")
        if not 0 < int(values["minutes"]) <= queue.get("max_minutes", 10**6):
            raise Refusal("time")
        waiting = self.ledger.jobs("state <> 'ended' AND queue = ?", values["queue"])
        if len(waiting) >= queue.get("max_queued", 10**6):
            raise Refusal("limit")


def python_words(module: str, *arguments: str) -> list[str]:
    """Return the command that runs ``main`` of a module of this folder, with nothing else on its path."""
    root = os.path.abspath(__file__ + "/../../../..")
    code = (
        f"import sys; sys.path.insert(0, {root!r}); "
        f"from balsam.selftest.fakes.{module} import main; sys.exit(main(sys.argv[1:]))"
    )
    return [sys.executable, "-IS", "-c", code, *arguments]


def user_name() -> str:
    """Return the name of the user who runs this."""
    return pwd.getpwuid(os.getuid()).pw_name


def _is_lost(job: Job) -> bool:
    if job.supervisor is None:
        return job.started is not None and time.time() - job.started > _START_PATIENCE_SEC
    return not _signal(job.supervisor, 0)


def _signal(pid: int, number: int) -> bool:
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True
