"""Many small graphs, with everything that can happen to a job, over several launchers."""

import collections
import itertools
import signal
from pathlib import Path

import pytest

from balsam.core.models import BalsamJob
from tests.jobs import add_app, add_job, history
from tests.launching import dag_script, finish, launcher, lines, run_launcher, script
from tests.waiting import wait_until

pytestmark = pytest.mark.usefixtures("db")

KINDS = ("normal", "timeout", "fail")


def states() -> collections.Counter[str]:
    return collections.Counter(BalsamJob.objects.values_list("state", flat=True))


def test_all_graphs_finish_over_two_interrupted_launchers(tmp_path: Path) -> None:
    """T7: 27 parents with 2 children each, of every mixture of kinds; every third parent has 2 ranks."""
    started, go = tmp_path / "started", tmp_path / "go"
    slow = f"#!/bin/sh\n[ -e {go} ] && exit 0\necho $BALSAM_JOB_ID >> {started}\nexec sleep 600\n"
    handler = dag_script(tmp_path, "post.py", "job.update_state('JOB_FINISHED', 'handled the error')\n")
    add_app("normal", "/bin/true")
    add_app("timeout", str(script(tmp_path, "slow", slow)))
    add_app("fail", "/bin/false", postprocess=str(handler))
    for number, (kind, *kinds) in enumerate(itertools.product(KINDS, repeat=3)):
        fields = {"name": f"graph{number}", "workflow": "many", "node_packing_count": 16}
        ranks = 2 if number % 3 == 0 else 1
        parent = add_job(application=kind, post_error_handler=kind == "fail", ranks_per_node=ranks, **fields)
        for child in kinds:
            add_job(parent, application=child, post_error_handler=child == "fail", **fields)
    for _ in range(2):
        before = len(lines(started)), states()["JOB_FINISHED"]
        with launcher(mode="mpi") as running:
            wait_until(lambda before=before: len(lines(started)) > before[0])
            wait_until(lambda before=before: before[1] or states()["JOB_FINISHED"] > 3)
            running.send_signal(signal.SIGTERM)
            finish(running)
    assert states()["RUNNING"] == 0
    slow = BalsamJob.objects.filter(application="timeout").values_list("state", flat=True)
    assert "RESTART_READY" in slow and "JOB_FINISHED" not in slow
    go.touch()
    run_launcher(mode="mpi", timeout_sec=300).check()
    assert states() == {"JOB_FINISHED": 81}
    jobs = list(BalsamJob.objects.all())
    assert len({job.working_directory for job in jobs}) == 81
    assert any("RUN_TIMEOUT" in history(job) for job in jobs if job.application == "timeout")
    assert all("RUN_ERROR" in history(job) for job in jobs if job.application == "fail")
