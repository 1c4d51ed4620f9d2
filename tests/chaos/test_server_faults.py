"""Jobs over a server that is restarted, fails, and whose replies get lost: none is lost, none runs twice.

BALSAM_TEST_CAMPAIGN is the number of jobs (default 80), BALSAM_TEST_SEED the seed of the faults.
"""

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from balsam.api import App, Job, Site, connection
from balsam.api.connection import use_client
from balsam.client import Client, Http
from balsam.core.models import BalsamJob
from tests.chaos.bad_network import BadNetwork
from tests.commands import run_balsam, script_path
from tests.launching import lines, script
from tests.serving import client_file, log_in, served
from tests.sites import edit_settings
from tests.waiting import wait_until

COUNT = int(os.environ.get("BALSAM_TEST_CAMPAIGN", "80"))
SEED = int(os.environ.get("BALSAM_TEST_SEED", "1"))


def states() -> Counter[str]:
    return Counter(BalsamJob.objects.values_list("state", flat=True))


@pytest.mark.parametrize("mode", ["serial", "mpi"])
def test_campaign_outlasts_a_server_that_misbehaves(
    db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str
):
    starts = tmp_path / "starts"
    app_script = script(tmp_path, "trace", f"#!/bin/sh\necho $BALSAM_JOB_ID >> {starts}\nsleep 0.02\n")
    count = COUNT if mode == "serial" else COUNT // 4
    with served(db) as address, BadNetwork(address, odds=0.15, seed=SEED) as network:
        token = log_in(address, "alice").credentials.token()
        alice = Http(network.address, token)
        monkeypatch.setenv("BALSAM_CLIENT_PATH", str(client_file(tmp_path, alice)))
        monkeypatch.delenv("BALSAM_DB_PATH")
        use_client(Client(alice))
        run_balsam("site", "init", "-n", "there", "-c", "local", "-y", tmp_path / "site").check()
        edit_settings(tmp_path / "site", idle_ttl_sec=("60", "1"))
        site = Site.objects.get("there")
        app = App.objects.create(site_id=site.id, name="Trace", command_template=str(app_script))
        parents = Job.objects.bulk_create(
            [Job(f"a{n}", app.id, node_packing_count=4) for n in range(count // 2)]
        )
        Job.objects.bulk_create(
            [
                Job(f"b{n}", app.id, node_packing_count=4, parent_ids=[parents[n].id])
                for n in range(count // 2)
            ]
        )
        assert BalsamJob.objects.count() == count, "a creation whose reply was lost made jobs twice"
        launcher = subprocess.Popen(
            [script_path("balsam"), "launcher", "-j", mode, "--consume-all"],
            cwd=tmp_path / "site",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            for part in (4, 2):
                wait_until(lambda part=part: len(lines(starts)) >= count // part, 120)
                _restart(db, address)
            output, _ = launcher.communicate(timeout=240)
        finally:
            launcher.kill()
    connection._clients.clear()
    print(network.met)
    for log in sorted((tmp_path / "site" / "log").glob("*.log")):
        print(log.read_text())
    assert states() == {"JOB_FINISHED": count}, output
    ran = Counter(lines(starts))
    assert len(ran) == count and set(ran.values()) == {1}
    assert network.met.total() - network.met["none"] > 10
    assert set(BalsamJob.objects.values_list("attempt", flat=True)) == {1}


def _restart(db: Path, address: str) -> None:
    env = {"BALSAM_DB_PATH": str(db)}
    run_balsam("server", "down", env=env).check()
    run_balsam("server", "up", "--port", address.rsplit(":", 1)[1], env=env).check()
