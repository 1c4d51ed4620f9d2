"""A fake batch system of one test, asked by its own commands."""

import subprocess
from pathlib import Path

from balsam.selftest.fakes.ledger import Job, Ledger
from balsam.selftest.fakes.mischief import arm, disarm
from balsam.selftest.setting_up import make_fake
from tests.waiting import wait_until

#: Words that submit a batch job: nodes, minutes, queue and project are put in.
SUBMIT = {
    "slurm": "sbatch --parsable -N {nodes} -t {minutes} -p {queue} -A {project} -J job {script}",
    "pbs": "qsub -l select={nodes} -l walltime=0:{minutes}:00 -q {queue} -A {project} -N job {script}",
    "cobalt": "qsub -n {nodes} -t {minutes} -q {queue} -A {project} --jobname job {script}",
    "lsf": "bsub -nnodes {nodes} -W {minutes} -q {queue} -P {project} -J job -o out {script}",
}
CANCEL = {"slurm": "scancel", "pbs": "qdel", "cobalt": "qdel", "lsf": "bkill"}
#: Words that list batch jobs, in a form that the fake has.
LIST = {"slurm": "squeue", "pbs": "qstat -f -F json", "cobalt": "qstat", "lsf": "bjobs -json"}


class FakeCluster:
    """The fake, in a directory of its own; a minute of wall time lasts ``minute_sec``."""

    def __init__(self, scheduler: str, directory: Path, **options: object) -> None:
        self.scheduler = scheduler
        self.directory = directory
        self.work = directory.with_name("work")
        self.work.mkdir()
        options = {"minute_sec": 60.0, "grace_sec": 1.0, **options}
        self.commands = make_fake(scheduler, directory, **options)  # type: ignore[arg-type]

    def call(self, words: str, timeout_sec: float = 30) -> subprocess.CompletedProcess[str]:
        """Run one of its commands."""
        command, *rest = words.split()
        return subprocess.run(
            [str(self.commands / command), *rest],
            cwd=self.work, capture_output=True, text=True, timeout=timeout_sec, errors="surrogateescape",
            check=False,
        )  # fmt: skip

    def submit(
        self, script: str = "true", *, nodes: int = 1, minutes: int = 5, queue: str = "default",
        project: str = "demo",
    ) -> subprocess.CompletedProcess[str]:  # fmt: skip
        """Submit a script of bash."""
        path = self.work / f"{len(self.taken())}.sh"
        path.write_text(f"#!/bin/bash\ncd {self.work}\n{script}\n")
        path.chmod(0o700)
        words = SUBMIT[self.scheduler].format(
            nodes=nodes, minutes=minutes, queue=queue, project=project, script=path
        )
        return self.call(words)

    def taken(self) -> list[Job]:
        """All batch jobs it has ever taken."""
        with Ledger(self.directory) as ledger:
            return ledger.jobs()

    def wait_state(self, state: str, index: int = -1) -> Job:
        """Wait until one of its batch jobs is in a state; time passes there when commands are called."""
        wait_until(lambda: self.taken()[index].state == state, what=state)
        return self.taken()[index]

    def cancel(self, job: Job) -> subprocess.CompletedProcess[str]:
        """Cancel a batch job."""
        return self.call(f"{CANCEL[self.scheduler]} {job.id}")

    def list(self) -> subprocess.CompletedProcess[str]:
        """List its batch jobs."""
        return self.call(LIST[self.scheduler])

    def misbehave(self, kind: str, **options: object) -> None:
        """Have it do something wrong."""
        with Ledger(self.directory) as ledger:
            arm(ledger, kind, **options)  # type: ignore[arg-type]

    def stop(self) -> None:
        """End all its batch jobs."""
        with Ledger(self.directory) as ledger:
            disarm(ledger)
        for job in self.taken():
            if job.state != "ended":
                with Ledger(self.directory) as ledger:
                    ledger.change(job.seq, is_forgotten=0)
                self.cancel(job)
        wait_until(
            lambda: all(job.state == "ended" for job in self.taken()), what="all batch jobs have ended"
        )
