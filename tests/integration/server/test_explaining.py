"""Explanations, and the commands on jobs, over HTTP: the same as in-process, and of one's own jobs alone."""

import pytest

from balsam.api import App, Job, Site
from balsam.cli.main import run
from balsam.client import Client
from balsam.client.http import Http
from balsam.core.explain import explanation
from balsam.core.models import Account
from balsam.exceptions import NotFoundError, RefusedError
from balsam.states import JobState as S
from tests.jobs import claim, open_session, report
from tests.serving import log_in


def test_explanation_is_the_same_over_http_and_of_ones_own_jobs_alone(alice: Http, address: str):
    site = Site.objects.create("theta", "/sites/theta")
    app = App.objects.create(site_id=site.id, name="Hello", command_template="echo hello")
    parent = Job.objects.create("w", app.id)
    job = Job.objects.create("v", app.id, parent_ids=[parent.id])
    told = job.explain()
    owner = Account.objects.get(username="alice").pk
    assert told == explanation(owner, job.id)
    assert told.reason == "parents"
    assert told.text == f"It waits for job {parent.id} (w), which is PREPROCESSED."
    with pytest.raises(NotFoundError, match=f"no job {job.id}"):
        Client(log_in(address, "bob")).explain_job(job.id)


def test_commands_on_jobs_work_over_http(alice: Http, capsys: pytest.CaptureFixture[str]):
    site = Site.objects.create("theta", "/sites/theta")
    app = App.objects.create(site_id=site.id, name="Hello", command_template="echo hello")
    jobs = Job.objects.bulk_create([Job(f"w/{n}", app.id, tags={"n": str(n)}) for n in range(3)])
    session = open_session()
    finished, failed, running = claim(session, site_id=site.id)
    report(session, [finished], S.RUNNING, S.RUN_DONE, code=0)
    report(session, [failed], S.RUNNING, S.RUN_ERROR, code=3)
    report(session, [running], S.RUNNING)

    def told(*words: object) -> tuple[int, str]:
        capsys.readouterr()
        code = run(["job", *map(str, words)])
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    numbers = [job.id for job in jobs]
    assert told("wait", "--tag", "n=0", "--timeout", 60) == (0, "")
    assert told("wait", *numbers[:2], "--timeout", 60)[0] == 1
    assert told("wait", "--site", "all", "--timeout", 0.1)[0] == 8
    assert "Its program failed" in told("explain", numbers[1])[1]
    assert "RUN_ERROR" in told("history", numbers[1])[1]
    code, text = told("logs", numbers[0])
    assert code == 3 and "is /sites/theta/data/w/0/job.out at the site theta" in text
    assert told("modify", numbers[1], "--priority", 4, "--set-tag", "a=b") == (0, "Changed 1 of 1.\n")
    assert Job.objects.get(id=numbers[1]).tags == {"n": "1", "a": "b"}
    code, text = told("rm", "--all", "--yes")
    assert code == 4 and "Deleted 2 jobs; 1 refused" in text
    with pytest.raises(RefusedError, match="USER_KILLED"):
        Job.objects.get(id=numbers[2]).delete()
    with pytest.raises(RefusedError, match="0 deleted, 1 refused"):
        Job.objects.filter(site_id=site.id).delete()
