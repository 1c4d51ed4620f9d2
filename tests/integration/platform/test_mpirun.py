"""The MPI launcher of this machine runs what the adapters say."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from balsam.platform.mpirun import MpiLauncher, MpiRun, detect

AWKWARD = ["", ":", "a b", "it's", '"q"', "$HOME", "`x`", "a;b", "new\nline", "é", "-n", "5", "--", "*", "\\"]
CODE = """
import json, os, sys
name = f"{sys.argv[1]}/{os.getpid()}"
print(json.dumps({"argv": sys.argv[2:], "mark": os.environ["MARK"]}), file=open(name, "w"))
sys.exit(int(os.environ["MARK"]))
"""


@pytest.fixture
def launcher() -> MpiLauncher:
    found = detect()
    if not found:
        pytest.skip("no MPI is installed")
    return MpiLauncher.from_text(found)


def start(launcher: MpiLauncher, run: MpiRun, **environ: str) -> int:
    own = launcher.environ(is_root=os.geteuid() == 0)
    return subprocess.run(
        launcher.command(run), env={**os.environ, **own, **environ}, stdin=subprocess.DEVNULL, timeout=120
    ).returncode


@pytest.mark.parametrize("num_ranks", [1, 2, 4])
def test_every_rank_gets_the_arguments_and_the_environment(
    launcher: MpiLauncher, tmp_path: Path, num_ranks: int
) -> None:
    here = socket.gethostname()
    run = MpiRun(
        argv=[sys.executable, "-c", CODE, str(tmp_path), *AWKWARD],
        num_ranks=num_ranks,
        ranks_per_node=num_ranks,
        hosts=[here],
        this_host=here,
    )
    assert start(launcher, run, MARK="0") == 0
    told = [json.loads(path.read_text()) for path in tmp_path.iterdir()]
    assert told == [{"argv": AWKWARD, "mark": "0"}] * num_ranks


def test_exit_code_of_the_application_is_kept(launcher: MpiLauncher, tmp_path: Path) -> None:
    run = MpiRun(argv=[sys.executable, "-c", CODE, str(tmp_path)], hosts=["here"], this_host="here")
    assert start(launcher, run, MARK="7") == 7
