"""Jobs of several ranks: how many there are, what they see, and what they do to the database at once."""

import asyncio
import json
import os
import sys
from pathlib import Path

import psutil
import pytest

from balsam.core.models import BalsamJob
from balsam.launcher.head import Head
from balsam.launcher.options import LauncherOptions
from balsam.platform.mpirun import detect
from balsam.platform.nodes import Node
from tests.commands import run_balsam
from tests.jobs import add_app, add_job, add_jobs, state_of
from tests.launching import dag_script, finish, launcher, lines, run_launcher, script
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("db")

#: A launcher of the MPICH family that notes what it is asked for, and starts nothing.
FAKE_MPIEXEC = """#!{python}
import json, os, sys
if sys.argv[1:] == ["--version"]:
    print("HYDRA build details:")
else:
    json.dump([sys.argv[1:], dict(os.environ)], open(os.environ["NOTE"], "w"))
"""


@pytest.mark.parametrize(
    ("nodes", "ranks", "threads", "per_core", "options"),
    [
        (2, 32, 2, 1, ["-n", "64", "-ppn", "32", "-hosts", "node1,node2"]),
        (2, 64, 1, 1, ["-n", "128", "-ppn", "64", "-hosts", "node1,node2"]),
        (1, 2, 64, 2, ["-n", "2", "-ppn", "2", "-hosts", "node1"]),
    ],
)
def test_ranks_threads_and_nodes_are_exactly_those_asked_for(
    nodes: int,
    ranks: int,
    threads: int,
    per_core: int,
    options: list[str],
    db: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """T12, on an allocation of two nodes that are not there: what the machine's MPI launcher is asked for."""
    script(tmp_path, "mpiexec", FAKE_MPIEXEC.format(python=sys.executable))
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    add_app("app", "/opt/app --in")
    note = tmp_path / "note"
    job = add_job(
        application="app",
        args="'a b'",
        num_nodes=nodes,
        ranks_per_node=ranks,
        threads_per_rank=threads,
        threads_per_core=per_core,
        environ_vars={"NOTE": str(note)},
    )
    allocation = [Node(name, tuple(range(64))) for name in ("node1", "node2")]
    tally = asyncio.run(Head(LauncherOptions(mode="mpi", mpirun=detect()), allocation, db / "log").run())
    assert (state_of(job), tally.finished) == ("JOB_FINISHED", 1), job.state_history
    argv, environ = json.loads(note.read_text())
    assert argv == [*options, "/opt/app", "--in", "a b"]
    assert environ.get("OMP_NUM_THREADS") == (str(threads) if threads > 1 else None)
    assert environ["BALSAM_JOB_ID"] == str(job.job_id) and environ["BALSAM_LAUNCHER_NODES"] == "2"


def test_every_rank_of_a_job_sees_its_number_and_its_threads(tmp_path: Path) -> None:
    """T12, with the MPI that is installed."""
    text = "#!/bin/sh\necho $PMI_RANK of $PMI_SIZE with $OMP_NUM_THREADS for $BALSAM_JOB_ID\n"
    add_app("rank", str(script(tmp_path, "rank", text)))
    job = add_job(application="rank", name="rank", ranks_per_node=6, threads_per_rank=3)
    run_launcher(mode="mpi").check()
    told = sorted(job.read_file_in_workdir("rank.out").splitlines())
    assert told == [f"{rank} of 6 with 3 for {job.job_id}" for rank in range(6)]


def test_all_jobs_that_ranks_add_at_once_are_run(tmp_path: Path) -> None:
    """T13: each of 16 ranks adds a job at the same time."""
    text = "import os\ndag.add_job(f'rank{os.environ[\"PMI_RANK\"]}', 'added', 'true')\n"
    add_app("adder", str(dag_script(tmp_path, "adder.py", text)))
    add_app("true", "/bin/true")
    add_job(application="adder", name="adder", ranks_per_node=16)
    run_launcher(mode="mpi").check()
    added = dict(BalsamJob.objects.filter(workflow="added").values_list("name", "state"))
    assert added == {f"rank{rank}": "JOB_FINISHED" for rank in range(16)}


def test_killed_parallel_job_ends_with_all_its_ranks(tmp_path: Path) -> None:
    """T16: both ranks end, and the launcher goes on with another job."""
    pids = tmp_path / "pids"
    add_app("rank", str(script(tmp_path, "rank", f"#!/bin/sh\necho $$ >> {pids}\nexec sleep 600\n")))
    job = add_job(application="rank", name="rank", ranks_per_node=2, priority=1)
    other = add_job(name="other")
    with launcher(mode="mpi") as running:
        wait_until(lambda: len(lines(pids)) == 2)
        run_balsam("kill", "--yes", job.job_id).check()
        done = finish(running)
    assert done.returncode == 0, done.stdout
    assert (state_of(job), state_of(other)) == ("USER_KILLED", "JOB_FINISHED")
    assert not any(psutil.pid_exists(int(pid)) for pid in lines(pids))


def test_ranks_that_acquire_jobs_at_once_get_different_ones(tmp_path: Path) -> None:
    """T18: sets are disjoint, the lock tells the owner, and jobs of others are not to be seen."""
    text = f"""
import json, os, time
from pathlib import Path
from balsam.core.models import BalsamJob
here, rank = Path({str(tmp_path)!r}), os.environ["PMI_RANK"]
BalsamJob.source.workflow = "pool"
got = []
while len(got) < 5:
    got += BalsamJob.source.acquire(BalsamJob.source.get_runnable(max_nodes=1).job_ids()[:5 - len(got)])
(here / f"ready{{rank}}").touch()
while len(list(here.glob("ready*"))) < 4:
    time.sleep(0.01)
locks = set(BalsamJob.objects.filter(pk__in=got).values_list("lock", flat=True))
seen = BalsamJob.source.all().job_ids()
(here / f"rank{{rank}}.json").write_text(json.dumps([list(map(str, got)), sorted(locks),
    BalsamJob.source.lock_str, list(map(str, seen))]))
(here / f"done{{rank}}").touch()
while len(list(here.glob("done*"))) < 4:
    time.sleep(0.01)
BalsamJob.source.release_all_owned()
"""
    add_app("acquirer", str(dag_script(tmp_path, "acquirer.py", text)))
    pool = add_jobs(20, workflow="pool", application="true")
    add_job(application="acquirer", name="acquirer", workflow="ranks", ranks_per_node=4)
    run_launcher("--wf-filter=ranks", mode="mpi").check()
    told = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in range(4)]
    assert sorted(job_id for got, *_ in told for job_id in got) == sorted(str(job.job_id) for job in pool)
    assert len({lock_str for _, _, lock_str, _ in told}) == 4
    for got, locks, lock_str, seen in told:
        assert locks == [lock_str]
        assert sorted(seen) == sorted(got)
    assert not BalsamJob.objects.filter(workflow="pool").exclude(session=None).exists()
