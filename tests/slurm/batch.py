"""Launchers in batch jobs of the real Slurm, and what they leave behind."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from balsam.core.models import BalsamJob
from tests.commands import script_path
from tests.slurm.cluster import SlurmCluster
from tests.waiting import wait_until

__all__ = ["BatchLauncher", "job_states", "submit_launcher"]

_ENDED = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")


@dataclass(frozen=True)
class BatchLauncher:
    """A batch job that runs one launcher or several."""

    slurm: SlurmCluster
    job_id: str
    output: Path

    def text(self) -> str:
        """What it has printed."""
        return self.output.read_text() if self.output.exists() else ""

    def wait(self, timeout_sec: float = 120) -> str:
        """Wait for its end; return its state as Slurm names it."""

        def ended() -> str:
            state = self.slurm.state(self.job_id)
            return state if state in _ENDED else ""

        try:
            return wait_until(ended, timeout_sec, what=f"end of batch job {self.job_id}")
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text()}") from error

    def finish(self, timeout_sec: float = 120) -> str:
        """Wait for its end, which must be a good one; return what it has printed."""
        state = self.wait(timeout_sec)
        assert state == "COMPLETED", f"{state}\n{self.text()}"
        return self.text()


def submit_launcher(
    slurm: SlurmCluster,
    directory: Path,
    *launchers: str,
    nodes: int = 4,
    flags: tuple[str, ...] = (),
    head: str = "",
) -> BatchLauncher:
    """Submit a script that runs `balsam launcher` with these options, several beside each other."""
    lines = ["#!/bin/bash", head]
    balsam = script_path("balsam")
    if len(launchers) == 1:
        lines.append(f"{balsam} launcher --consume-all {launchers[0]}")
    else:
        lines += [f"{balsam} launcher --consume-all {options} &" for options in launchers]
        lines.append("wait")
    path = directory / "qlaunch.sh"
    path.write_text("\n".join(lines) + "\n")
    output = directory / "qlaunch.out"
    options = [f"--nodes={nodes}", f"--output={output}", f"--chdir={directory}", "--open-mode=append"]
    return BatchLauncher(slurm, slurm.submit(path, "--exclusive", *options, *flags), output)


def job_states() -> dict[str, int]:
    """How many jobs are in each state."""
    return dict(Counter(BalsamJob.objects.values_list("state", flat=True)))
