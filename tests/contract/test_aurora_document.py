"""The scripts of the Aurora document, in an allocation that looks like Aurora's.

On a database of one's own, and through a server.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from balsam.api import App, BatchJob, Job
from tests.commands import run_balsam
from tests.cores import CORES, reached
from tests.launching import run_launcher, script

DOCUMENT = (Path(__file__).parent / "documents" / "aurora.txt").read_text()
#: Writes down its options, and runs the command behind them once, whatever they say of ranks and nodes.
MPIEXEC = """#!/bin/bash
[ "$1" != --version ] || exit 0
options=()
while [ $# -gt 0 ] && [ "$1" != /bin/bash ]; do options+=("$1"); shift; done
echo "${{options[*]}}" >> {log}
exec "$@"
"""
TILES = [f"{gpu}.{tile}" for gpu in range(6) for tile in range(2)]


@pytest.fixture(params=CORES)
def aurora(
    request: pytest.FixtureRequest, db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """A directory for the scripts, in a batch job of two nodes, with a site of that machine."""
    (tmp_path / "nodes").write_text("x1\nx2\n")
    (tmp_path / "bin").mkdir()
    script(tmp_path / "bin", "mpiexec", MPIEXEC.format(log=tmp_path / "launches"))
    for name, value in {
        "BALSAM_HOME": str(tmp_path),
        "HOME": str(tmp_path),
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PBS_NODEFILE": str(tmp_path / "nodes"),
        "PBS_JOBID": "7.site",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("SLURM_JOB_ID", "SLURM_JOB_NODELIST", "COBALT_NODEFILE", "ZE_AFFINITY_MASK"):
        monkeypatch.delenv(name, raising=False)
    add_programs(tmp_path / "GettingStarted")
    with reached(request.param, db, tmp_path, monkeypatch):
        run_balsam(
            "site", "init", "-n", "test_aurora", "-c", "aurora", "-y", "new-site", cwd=tmp_path
        ).check()
        settings = tmp_path / "new-site" / "settings.yml"
        settings.write_text(settings.read_text().replace("idle_ttl_sec: 60", "idle_ttl_sec: 0.5"))
        yield tmp_path


def add_programs(top: Path) -> None:
    """Put stand-ins where the document has its affinity script and the program that it starts."""
    scripts, examples = top / "HelperScripts/Aurora", top / "Examples/Aurora/affinity_gpu/sycl"
    for directory in (scripts, examples):
        directory.mkdir(parents=True)
    script(scripts, "set_affinity_gpu_aurora.sh", '#!/bin/sh\nexec "$@"\n')
    script(examples, "hello_affinity", '#!/bin/sh\necho "affinity $ZE_AFFINITY_MASK"\n')


def run_script(here: Path, name: str) -> None:
    """Run a script of the document under the name it has there."""
    found = re.search(rf'```python [^\n]*title="{re.escape(name)}"\n(.*?)```', DOCUMENT, re.S)
    assert found, f"the document has no script {name}"
    (here / name).write_text(found[1])
    done = subprocess.run(
        [sys.executable, name], cwd=here, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_scripts_of_the_document(aurora: Path, monkeypatch: pytest.MonkeyPatch):
    run_script(aurora, "balsam_job_ensemble.py")
    assert {app.name for app in App.objects.all()} == {"EchoHello", "HelloAffinity"}
    run_script(aurora, "submit_mpi_mode.py")
    (batch_job,) = BatchJob.objects.all()
    assert (batch_job.num_nodes, batch_job.queue, batch_job.job_mode) == (2, "debug-scaling", "mpi")

    monkeypatch.chdir(aurora / "new-site")
    run_launcher(mode="mpi").check()
    assert [job.state for job in Job.objects.filter(tags={"workflow": "demo"})] == ["JOB_FINISHED"] * 25
    data = aurora / "new-site" / "data" / "demo"
    assert (data / "hello_affinity" / "job.out").read_text() == f"affinity {','.join(TILES)}\n"
    for n in range(24):
        said = (data / f"echo_hello{n}" / "job.out").read_text()
        found = re.fullmatch(r"Hello, world (\d+)!! ZE_AFFINITY_MASK=(\S+) OMP_NUM_THREADS=1\n", said)
        assert found and found[1] == str(n) and found[2] in TILES
    launches = (aurora / "launches").read_text().splitlines()
    assert sum(launch.startswith("-np 12 -ppn 12 --hosts x") for launch in launches) == 1
    assert sum(launch.startswith("-np 1 -ppn 1 --hosts x") for launch in launches) == 24
