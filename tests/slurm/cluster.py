"""A real Slurm of several nodes on this one host, for tests: started in a second or two, ended with them.

Everything is its own: munge key and socket, ports, directories, database; several may run at once. It needs
root, because slurmd changes user for jobs, and Debian's packages.
"""

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.slurm import accounting, marked
from tests.slurm.configuration import ClusterShape, cluster_configuration, free_ports
from tests.waiting import wait_until

__all__ = ["PACKAGES", "SlurmCluster", "why_no_slurm"]

#: Debian packages that a cluster is made of; the last two only for `sacct`.
PACKAGES = "slurmctld slurmd slurm-client munge slurmdbd mariadb-server"
_PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "srun", "squeue", "scancel", "sinfo", "scontrol")
#: Environment variable of a node's daemons.
_NODE_MARK = "BALSAM_TEST_SLURM_NODE"
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def why_no_slurm() -> str:
    """Say why no cluster can be started here; '' when it can."""
    missing = [program for program in _PROGRAMS if not shutil.which(program, path=_PATH)]
    if missing:
        return (
            f"no real Slurm here: {', '.join(missing)} not found "
            f"(Debian: apt-get install -y --no-install-recommends {PACKAGES})"
        )
    if os.getuid() != 0:
        return "no real Slurm here: slurmd must be started by root, because it changes user for jobs"
    return ""


class SlurmCluster:
    """An emulated cluster; `start` it, and `stop` it in any case."""

    def __init__(
        self, base: Path, shape: ClusterShape | None = None, *, with_accounting: bool = True
    ) -> None:
        self.base = base
        self.shape = shape or ClusterShape()
        self.has_accounting = with_accounting and accounting.has_accounting(_PATH)
        self._mark = f"{marked.MARK}={base}"
        self._guardian: subprocess.Popen[bytes] | None = None

    @property
    def nodes(self) -> tuple[str, ...]:
        """Names of the nodes; all have the host name of this host."""
        return self.shape.node_names

    @property
    def env(self) -> dict[str, str]:
        """Overlay of the environment with which sbatch, srun, squeue, … find this cluster."""
        return {
            "SLURM_CONF": f"{self.base}/slurm.conf",
            "MUNGE_SOCKET": f"{self.base}/munge/socket",
            "PATH": _PATH,
        }

    def start(self) -> None:
        """Start everything, and wait until all nodes are idle."""
        shutil.rmtree(self.base, ignore_errors=True)
        for name in ("pids", "log", "spool", "state", "munge"):
            (self.base / name).mkdir(parents=True)
        self.base.chmod(0o755)
        self._guardian = subprocess.Popen(
            [sys.executable, "-S", marked.__file__, str(self.base)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._start_munge()
        *ports, accounting_port, database_port = free_ports(len(self.nodes) + 3)
        if not self.has_accounting:
            accounting_port = 0
        (self.base / "slurm.conf").write_text(
            cluster_configuration(self.base, self.shape, ports, accounting_port)
        )
        if self.has_accounting:
            accounting.start_accounting(self.base, accounting_port, database_port, self._daemon_env())
            accounting.register_cluster(self._daemon_env())
        subprocess.run(["slurmctld", "-i"], env=self._daemon_env(), check=True)
        for node in self.nodes:
            self.start_node(node)
        wait_until(self._all_idle, what=f"Slurm in {self.base}/log")

    def stop(self) -> None:
        """Kill everything, jobs included."""
        marked.end_marked(self._mark)
        marked.end_marked(f"SLURM_CONF={self.base}/slurm.conf")  # of jobs, whose environment is their own
        if self._guardian is not None:
            self._guardian.communicate(timeout=30)

    def kill_node(self, node: str) -> None:
        """Kill a node as a power cut does: slurmd, the step daemons, and every process of jobs there."""
        marked.end_marked(self._mark, f"{_NODE_MARK}={node}")
        marked.end_marked(f"SLURM_CONF={self.base}/slurm.conf", f"SLURMD_NODENAME={node}")

    def start_node(self, node: str) -> None:
        """Start the slurmd of a node, for the first time or after `kill_node`."""
        env = {**self._daemon_env(), _NODE_MARK: node}
        subprocess.run(["slurmd", "-N", node], env=env, check=True)

    def wait_until_idle(self) -> None:
        """Wait until all nodes answer and nothing runs."""
        wait_until(self._all_idle, what="idle nodes")

    def run(self, *argv: str, env: Mapping[str, str] | None = None, timeout_sec: float = 60) -> str:
        """Run a command with this cluster in its environment, and return what it printed.

        Raises AssertionError with all its output when it fails.
        """
        done = subprocess.run(
            argv,
            env={**os.environ, **self.env, **(env or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_sec,
            check=False,
        )
        assert done.returncode == 0, f"{argv}: exit {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def submit(self, script: Path, *options: str) -> str:
        """Submit a script with `sbatch` and return the job's id."""
        return self.run("sbatch", "--parsable", *options, str(script)).strip()

    def state(self, job_id: str) -> str:
        """State of a job as the controller names it: PENDING, RUNNING, COMPLETED, CANCELLED, …"""
        return self.run("squeue", "-h", "-t", "all", "-j", job_id, "-o", "%T").strip()

    def reset(self) -> None:
        """Cancel every job, start nodes that were killed, and wait until all are idle."""
        for node in self.nodes:
            if not marked.marked_pids(self._mark, f"{_NODE_MARK}={node}"):
                self.start_node(node)
        if self.run("squeue", "-h", "-o", "%i"):
            self.run("scancel", "--quiet", "--user=root")
        self.wait_until_idle()

    def _daemon_env(self) -> dict[str, str]:
        return {**os.environ, **self.env, marked.MARK: str(self.base)}

    def _start_munge(self) -> None:
        home = self.base / "munge"
        key = home / "key"
        key.write_bytes(secrets.token_bytes(1024))
        key.chmod(0o600)
        options = [f"--{name}-file={home}/{name}" for name in ("key", "pid", "log", "seed")]
        argv = ["munged", "--force", "--num-threads=2", f"--socket={home}/socket", *options]
        with (self.base / "log" / "munged").open("wb") as log:
            subprocess.run(argv, env=self._daemon_env(), stderr=log, check=True)

    def _all_idle(self) -> bool:
        idle = self.run("sinfo", "-h", "-N", "-p", "debug", "-t", "idle", "-o", "%N").split()
        return len(idle) == len(self.nodes)
