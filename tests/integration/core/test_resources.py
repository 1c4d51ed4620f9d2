"""Resources of the site generation over the real tables: each caller's own, checked, and one door."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from balsam.client import Client
from balsam.core import resources
from balsam.core.models import Account, ApplicationDefinition, BalsamJob, Site
from balsam.exceptions import (
    ConflictError,
    InvalidParentsError,
    NotFoundError,
    UnknownFieldError,
    UsageError,
)
from balsam.schemas.fields import Record
from balsam.schemas.resources import Query
from balsam.states import JobState as S
from tests.jobs import claim, open_session, report, state_of

ME = None


@pytest.fixture
def site(db: Path) -> Record:
    return resources.create(ME, "site", [{"name": "theta", "path": "/sites/theta"}])[0]


@pytest.fixture
def app(site: Record) -> Record:
    return add_app(ME, site["id"])


def add_app(caller: int | None, site_id: int, name: str = "Hello", **fields: Any) -> Record:
    record = {
        "site_id": site_id,
        "name": name,
        "command_template": "echo {{ name }}",
        "parameters": {"name": {"required": True}},
        **fields,
    }
    return resources.create(caller, "app", [record])[0]


def add_jobs(app: Record, *workdirs: str, caller: int | None = ME, **fields: Any) -> list[Record]:
    made = [
        {"workdir": workdir, "app_id": app["id"], "parameters": {"name": "x"}, **fields}
        for workdir in workdirs
    ]
    return resources.create(caller, "job", made)


def listed(resource: str, caller: int | None = ME, order_by: str = "", **filters: Any) -> list[Record]:
    return resources.list_page(caller, resource, Query(filters=filters, order_by=order_by)).results


def ids(records: Sequence[Record]) -> list[int]:
    return [record["id"] for record in records]


def test_database_directory_is_the_first_site(db: Path):
    (first,) = listed("site")
    assert first["id"] == 1 and first["path"] == str(db.resolve())
    with pytest.raises(UsageError, match="first site"):
        resources.delete_where(ME, "site", Query(filters={"id": 1}))


def test_name_of_a_site_is_taken_once_by_an_owner(site: Record):
    with pytest.raises(ConflictError, match="'theta'"):
        resources.create(ME, "site", [{"name": "theta", "path": "/elsewhere"}])
    other = Account.objects.create(username="alice").pk
    assert resources.create(other, "site", [{"name": "theta", "path": "/elsewhere"}])


def test_each_caller_sees_what_is_theirs_alone(site: Record, app: Record):
    alice = Account.objects.create(username="alice").pk
    hers = resources.create(alice, "site", [{"name": "mine", "path": "/mine"}])[0]
    her_app = add_app(alice, hers["id"])
    her_job = add_jobs(her_app, "w", caller=alice)[0]
    my_job = add_jobs(app, "w")[0]
    for resource, mine, theirs in (("site", site, hers), ("app", app, her_app), ("job", my_job, her_job)):
        assert theirs["id"] not in ids(listed(resource))
        assert ids(listed(resource, alice)) == [theirs["id"]]
        reply = resources.update(alice, resource, {mine["id"]: {}})
        assert reply.changed == () and f"no {resource} {mine['id']}" in reply.refused[mine["id"]]
        assert resources.delete_where(alice, resource, Query(filters={"id": mine["id"]})).deleted == 0
    assert listed("event", alice, job_id=my_job["id"]) == []
    with pytest.raises(NotFoundError):
        add_jobs(app, "x", caller=alice)
    with pytest.raises(NotFoundError):
        add_app(alice, site["id"], "Mine")
    with pytest.raises(InvalidParentsError):
        add_jobs(her_app, "y", caller=alice, parent_ids=[my_job["id"]])


def test_jobs_are_made_in_order_with_their_first_states(app: Record):
    parent, other = add_jobs(app, "a", "b", tags={"n": 1})
    (child,) = add_jobs(app, "c", parent_ids=[other["id"], parent["id"]])
    assert [job["state"] for job in (parent, other, child)] == [
        S.PREPROCESSED,
        S.PREPROCESSED,
        S.AWAITING_PARENTS,
    ]
    assert child["parent_ids"] == sorted([parent["id"], other["id"]])
    assert parent["id"] < other["id"] < child["id"]
    assert parent["tags"] == {"n": "1"} and parent["app_id"] == app["id"]
    assert listed("job", id=parent["id"]) == [parent]


@pytest.mark.parametrize("workdir", ["/abs", "../up", "a/../../b", ""])
def test_workdir_stays_below_the_data_directory(app: Record, workdir: str):
    with pytest.raises(UsageError, match="workdir"):
        add_jobs(app, workdir)


def test_jobs_of_one_call_are_made_all_or_none(app: Record):
    with pytest.raises(UsageError, match="Two of these jobs"):
        add_jobs(app, "same", "same")
    with pytest.raises(UsageError, match="takes no parameter nome"):
        add_jobs(app, "a", parameters={"nome": "x"})
    with pytest.raises(UsageError, match="needs the parameter name"):
        add_jobs(app, "a", parameters={})
    with pytest.raises(InvalidParentsError, match="no job 99"):
        add_jobs(app, "a", parent_ids=[99])
    assert listed("job") == []
    add_jobs(app, "same")
    assert add_jobs(app, "same"), "across calls a directory may be used again"


def test_jobs_are_found_by_each_filter(site: Record, app: Record):
    other = add_app(ME, 1, "Other")
    a, b, c = add_jobs(app, "x/a", "x/b", "y/c", tags={"k": "v", "l": "w"})
    (d,) = add_jobs(other, "x/d", parent_ids=[a["id"]], tags={"k": "z"})
    resources.update(ME, "job", {b["id"]: {"state": "FAILED"}})
    cases: list[tuple[dict[str, Any], list[Record]]] = [
        ({"id": [a["id"], c["id"]]}, [a, c]),
        ({"parent_id": a["id"]}, [d]),
        ({"app_id": other["id"]}, [d]),
        ({"site_id": site["id"]}, [a, b, c]),
        ({"workdir__contains": "x/"}, [a, b, d]),
        ({"state": "FAILED"}, [b]),
        ({"state__ne": ["FAILED", "AWAITING_PARENTS"]}, [a, c]),
        ({"tags": {"k": "v"}}, [a, b, c]),
        ({"tags": ["k:v", "l:x"]}, []),
        ({"last_update_after": datetime.now(UTC) - timedelta(hours=1)}, [a, b, c, d]),
        ({"last_update_before": datetime.now(UTC) - timedelta(hours=1)}, []),
        ({"site_id": site["id"], "state": "PREPROCESSED"}, [a, c]),
    ]
    for filters, expected in cases:
        assert ids(listed("job", **filters)) == ids(expected), filters
    assert ids(listed("job", order_by="-id")) == ids([d, c, b, a])
    page = resources.list_page(ME, "job", Query(limit=2, offset=1))
    assert (page.count, ids(page.results)) == (4, ids([b, c]))
    assert resources.count_by(ME, "job", Query(filters={"site_id": site["id"]}), "state") == {
        "FAILED": 1, "PREPROCESSED": 2,
    }  # fmt: skip


def test_one_bad_change_keeps_none_of_the_others(app: Record):
    a, b, c = add_jobs(app, "a", "b", "c")
    resources.update(ME, "job", {b["id"]: {"state": "JOB_FINISHED"}})
    reply = resources.update(
        ME,
        "job",
        {
            a["id"]: {"state": "FAILED", "num_nodes": 2},
            b["id"]: {"state": "FAILED"},
            c["id"]: {"tags": {"new": "tag"}, "state": "PREPROCESSED"},
            999: {"num_nodes": 1},
        },
    )
    assert reply.changed == (a["id"], c["id"])
    assert set(reply.refused) == {b["id"], 999}
    assert [job["state"] for job in listed("job")] == ["FAILED", "JOB_FINISHED", "PREPROCESSED"]
    assert listed("job", id=a["id"])[0]["num_nodes"] == 2
    assert listed("job", id=c["id"])[0]["tags"] == {"new": "tag"}


def test_changes_by_filter_reach_all(app: Record):
    add_jobs(app, "a", "b", "c", tags={"w": "1"})
    reply = resources.update_where(ME, "job", Query(filters={"tags": {"w": "1"}}), {"num_nodes": 3})
    assert len(reply.changed) == 3
    assert {job["num_nodes"] for job in listed("job")} == {3}
    assert resources.delete_where(ME, "job", Query(filters={"workdir__contains": "a"})).deleted == 1
    assert len(listed("job")) == 2


def test_jobs_of_both_faces_see_each_other(db: Path):
    app = add_app(ME, 1)
    (made,) = add_jobs(app, "w")
    job = BalsamJob.objects.get(number=made["id"])
    assert job.application == "Hello" and job.working_directory == f"{db}/data/w"
    legacy = BalsamJob.objects.create(name="old", workflow="w", application="Hello", workdir="")
    record = listed("job", id=legacy.number)[0]
    assert record["app_id"] == app["id"] and record["state"] == state_of(legacy)
    assert ApplicationDefinition.objects.get(name="Hello").pk == app["id"]


def test_events_of_a_run_tell_what_analytics_needs(app: Record):
    (job,) = add_jobs(app, "w", node_packing_count=8)
    session = open_session()
    specs = claim(session, site_id=app["site_id"])
    report(session, specs, S.RUNNING, S.RUN_DONE)
    events = listed("event", order_by="timestamp", job_id=[job["id"]])
    assert [event["to_state"] for event in events] == ["PREPROCESSED", "RUNNING", "RUN_DONE", "JOB_FINISHED"]
    assert events[1]["data"]["num_nodes"] == 0.125
    newest_first = listed("event", tags={})
    assert ids(newest_first) == sorted(ids(newest_first), reverse=True)
    assert listed("event", job_id=job["id"], to_state="RUNNING") == [events[1]]


def test_new_version_of_an_application_is_counted_and_jobs_follow_its_name(app: Record):
    (job,) = add_jobs(app, "w")
    reply = resources.update(ME, "app", {app["id"]: {"name": "Hi", "command_template": "echo hi"}})
    assert reply.changed == (app["id"],)
    changed = listed("app", id=app["id"])[0]
    assert (changed["name"], changed["version"]) == ("Hi", app["version"] + 1)
    assert listed("job", id=job["id"])[0]["app_id"] == app["id"]
    assert ids(listed("app", name="Hi")) == [app["id"]] and listed("app", name="Hello") == []
    resources.update(ME, "app", {app["id"]: {"command_template": "echo hi"}})
    assert listed("app", id=app["id"])[0]["version"] == changed["version"], "nothing has changed"


def test_site_takes_its_applications_and_jobs_along(site: Record, app: Record):
    jobs = add_jobs(app, "a", "b")
    assert resources.delete_where(ME, "site", Query(filters={"id": site["id"]})).deleted == 1
    assert listed("app") == [] and listed("job") == []
    assert listed("event", job_id=ids(jobs)) == []
    assert Site.objects.count() == 1


def test_batch_job_is_an_intent_at_its_site(site: Record):
    wanted = {
        "site_id": site["id"], "num_nodes": 2, "wall_time_min": 10, "job_mode": "mpi", "queue": "debug",
        "project": "p", "filter_tags": {"workflow": "hello"},
    }  # fmt: skip
    (batch_job,) = resources.create(ME, "batch_job", [wanted])
    assert batch_job["state"] == "pending_submission" and batch_job["scheduler_id"] is None
    assert ids(listed("batch_job", filter_tags={"workflow": "hello"}, state="pending_submission")) == [
        batch_job["id"]
    ]
    with pytest.raises(UsageError, match="partitions"):
        resources.create(ME, "batch_job", [{**wanted, "partitions": [{"job_mode": "mpi", "num_nodes": 1}]}])
    assert resources.update(ME, "batch_job", {batch_job["id"]: {"state": "running"}}).refused
    assert resources.update(ME, "batch_job", {batch_job["id"]: {"state": "pending_deletion"}}).changed
    assert listed("batch_job")[0]["state"] in ("pending_deletion", "finished", "submit_failed")


def test_verbs_that_make_no_sense_are_refused(db: Path):
    with pytest.raises(UsageError, match="no way to delete a batch_job"):
        resources.delete_where(ME, "batch_job", Query())
    with pytest.raises(UsageError, match="no way to create a event"):
        resources.create(ME, "event", [{}])
    with pytest.raises(UnknownFieldError, match="'nme'"):
        listed("site", nme="x")


def test_the_door_offers_them(db: Path):
    page = Client().transport.call("resources.list", None, "site", Query())
    assert ids(page.results) == [1]
