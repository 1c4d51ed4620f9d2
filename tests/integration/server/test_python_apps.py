"""Python applications of a site whose jobs a server holds: called without a question to it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from balsam.api import ApplicationDefinition, Job, Site, connection
from balsam.api.connection import use_client
from balsam.client import Client
from tests.commands import run_balsam, script_path
from tests.serving import client_file, log_in, served
from tests.sites import edit_settings


def test_results_and_exceptions_come_back_over_a_server(
    db: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    class Answer(ApplicationDefinition):
        site = "there"

        def run(self, number):
            import os
            import sys

            if number == 2:
                raise ValueError(f"job {self.job.id}")
            self.job.data["seen"] = number
            if number == 1:
                self.job.save()
            return number, "httpx" in sys.modules, os.getppid()

    with served(db) as address:
        alice = log_in(address, "alice")
        monkeypatch.setenv("BALSAM_CLIENT_PATH", str(client_file(tmp_path, alice)))
        monkeypatch.delenv("BALSAM_DB_PATH")
        use_client(Client(alice))
        run_balsam("site", "init", "-n", "there", "-c", "local", "-y", tmp_path / "site").check()
        edit_settings(tmp_path / "site", idle_ttl_sec=("60", "1"))
        assert Site.objects.get("there").id
        jobs = [Answer.submit(f"w{number}", number=number, node_packing_count=4) for number in range(3)]
        subprocess.run(
            [script_path("balsam"), "launcher", "-j", "serial", "--consume-all"],
            cwd=tmp_path / "site",
            timeout=120,
            check=False,
        )
        results: list[Any] = [job.result(timeout=10) for job in jobs[:2]]
        assert [result[:2] for result in results] == [(0, False), (1, True)]
        if sys.platform == "linux":
            assert results[0][2] == results[1][2], "both were forked, and are children of the worker"
        assert jobs[1].data == {"seen": 1} and jobs[0].data == {}
        with pytest.raises(ValueError, match=f"job {jobs[2].id}"):
            jobs[2].result(timeout=10)
        assert Job.objects.get(id=jobs[2].id).return_code == 1
    connection._clients.clear()
