"""Explanations over HTTP: the same as in-process, and of one's own jobs alone."""

import pytest

from balsam.api import App, Job, Site
from balsam.client import Client
from balsam.client.http import Http
from balsam.core.explain import explanation
from balsam.core.models import Account
from balsam.exceptions import NotFoundError
from tests.integration.server.conftest import log_in


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
