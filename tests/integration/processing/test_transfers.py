"""Transfers from their slots to the end of their jobs, on real files; a stand-in runs the jobs."""

import os
from pathlib import Path
from typing import Any

import pytest

from balsam.api import App, Job, JobTransferItem, Site, TransferItem
from balsam.client import Client
from balsam.core.models import ApplicationDefinition, BalsamJob
from balsam.core.models import TransferItem as Row
from balsam.exceptions import RefusedError, UsageError
from balsam.processing.transfers import outcomes
from balsam.schemas.transfers import TransferClaimRequest
from balsam.states import JobState as S
from tests.jobs import claim, open_session, report
from tests.transfers import wait_for, workdir
from tests.waiting import wait_until

SLOTS = {
    "data": {"required": True, "direction": "in", "local_path": "in.dat"},
    "extra": {"required": False, "direction": "in", "local_path": "."},
    "tree": {"required": False, "direction": "in", "local_path": "sub", "recursive": True},
    "result": {"required": False, "direction": "out", "local_path": "out.dat"},
    "results": {"required": False, "direction": "out", "local_path": ".", "recursive": True},
}


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store"
    path.mkdir()
    (path / "a").write_text("the data")
    return path


@pytest.fixture
def site(db: Path, tmp_path: Path, store: Path) -> Site:
    path = tmp_path / "site"
    path.mkdir()
    site = Site("laptop", str(path))
    site.transfer_locations = {"here": "local:", "store": f"local:{store}", "linked": f"link:{store}"}
    site.save()
    return site


@pytest.fixture
def app(site: Site) -> App:
    return App.objects.create(site_id=site.id, name="Sum", command_template="true", transfers=SLOTS)


def new_job(app: App, workdir: str = "w", **transfers: Any) -> Job:
    return Job.objects.create(workdir, app.id, transfers=transfers)


def run(job: Job, session_id: int) -> None:
    """Run the job, as a launcher does."""
    report(session_id, claim(session_id, site_id=job.site_id), S.RUNNING, S.RUN_DONE)


def test_files_come_in_and_go_out_and_the_job_goes_on(app, site, store, start_mover, session_id):
    job = new_job(
        app, data=f"store:{store}/a", extra=JobTransferItem("here", f"{store}/a"), result=f"store:{store}/b"
    )
    assert job.state == S.READY
    assert {item.slot: item.state for item in TransferItem.objects.filter(job_id=job.id)} == {
        "data": "pending", "extra": "pending", "result": "awaiting_job",
    }  # fmt: skip
    mover = start_mover()
    wait_for(job, S.PREPROCESSED)
    assert sorted(os.listdir(workdir(site, job))) == ["a", "in.dat"]
    (workdir(site, job) / "out.dat").write_text("the result")
    run(job, session_id)
    mover.wake()
    wait_for(job, S.JOB_FINISHED)
    assert (store / "b").read_text() == "the result"
    (item,) = TransferItem.objects.filter(job_id=job.id, direction="out")
    assert (item.state, item.transfer_info["bytes"], item.attempts) == ("done", 10, 1)


def test_trees_come_in_and_go_out(app, site, store, start_mover, session_id):
    (store / "t" / "deep").mkdir(parents=True)
    (store / "t" / "deep" / "x").write_text("x")
    job = new_job(app, data=f"store:{store}/a", tree=f"store:{store}/t", results=f"store:{store}/back")
    mover = start_mover()
    wait_for(job, S.PREPROCESSED)
    assert (workdir(site, job) / "sub" / "deep" / "x").read_text() == "x"
    run(job, session_id)
    mover.wake()
    wait_for(job, S.JOB_FINISHED)
    assert (store / "back" / "sub" / "deep" / "x").read_text() == "x"


def test_a_file_is_linked_where_that_is_asked_for(app, site, store, start_mover):
    job = new_job(app, data=f"linked:{store}/a")
    start_mover()
    wait_for(job, S.PREPROCESSED)
    assert os.readlink(workdir(site, job) / "in.dat") == f"{store}/a"


@pytest.mark.parametrize("place", ["store", "linked"])
@pytest.mark.parametrize(("to", "words"), [("nowhere", "No such file"), ("a", "Too many levels")])
def test_a_link_that_leads_nowhere_is_no_data(place, to, words, app, store, start_mover):
    (store / "a").unlink()
    (store / "a").symlink_to(to)
    job = new_job(app, data=f"{place}:{store}/a")
    start_mover()
    wait_for(job, S.FAILED)
    assert words in TransferItem.objects.get(job_id=job.id).transfer_info["message"]


def test_a_pipe_is_no_data(app, store, start_mover):
    os.mkfifo(store / "p")
    job = new_job(app, data=f"store:{store}/p")
    start_mover()
    wait_for(job, S.FAILED)
    message = TransferItem.objects.get(job_id=job.id).transfer_info["message"]
    assert f"{store}/p is neither a file nor a directory" in message


def test_links_of_a_tree_lead_to_what_they_led_to_and_nothing_else_is_read(app, site, store, start_mover):
    (store / "t").mkdir()
    (store / "t" / "beside").symlink_to("../a")
    (store / "t" / "x").write_text("x")
    (store / "t" / "within").symlink_to("x")
    job = new_job(app, data=f"store:{store}/a", tree=f"store:{store}/t")
    start_mover()
    wait_for(job, S.PREPROCESSED)
    here = workdir(site, job) / "sub"
    assert os.readlink(here / "within") == "x"
    assert os.readlink(here / "beside") == f"{store}/a"


@pytest.mark.parametrize("path", ["back/", "", "/"])
def test_a_tree_goes_out_to_a_name_with_a_slash_and_to_the_location_itself(
    path, app, site, store, start_mover, session_id
):
    job = new_job(app, data=f"store:{store}/a", results=f"store:{store}/{path}".removesuffix("//"))
    mover = start_mover()
    wait_for(job, S.PREPROCESSED)
    run(job, session_id)
    mover.wake()
    wait_for(job, S.JOB_FINISHED)
    assert (store / path.strip("/") / "in.dat").read_text() == "the data"


@pytest.mark.parametrize(
    ("transfers", "words"),
    [
        ({}, "needs the transfer data"),
        ({"dat": "store:/a"}, "no transfer slot 'dat'.*Did you mean 'data'"),
        ({"data": "stor:/a"}, "no transfer location 'stor'.*Did you mean 'store'"),
        ({"data": "store:a"}, "it is not absolute"),
        ({"data": "store:/a/../b"}, r"it has `\.\.` in it"),
        ({"data": "store:/a\nb"}, "a line break"),
        ({"data": "/a"}, "give 'ALIAS:/absolute/path'"),
        ({"data": {"location_alias": "store"}}, "give 'ALIAS:/absolute/path'"),
        ({"data": "store:/" + "a" * 5000}, "longer than 4096"),
    ],
)
def test_a_transfer_that_cannot_be_is_refused_when_the_job_is_made(app, transfers, words):
    with pytest.raises(UsageError, match=words):
        new_job(app, **transfers)
    assert not BalsamJob.objects.exists() and not Row.objects.exists()


@pytest.mark.parametrize("local_path", ["../x", "/x", "a/../../x", "", "a\nb"])
def test_a_slot_outside_of_the_working_directory_is_refused(site, local_path):
    slot = {"x": {"required": True, "direction": "in", "local_path": local_path}}
    with pytest.raises(UsageError, match="local_path"):
        App.objects.create(site_id=site.id, name="Bad", command_template="true", transfers=slot)


def test_what_is_not_there_fails_the_job_with_the_words_and_can_be_tried_again(app, site, store, start_mover):
    job = new_job(app, data=f"store:{store}/late", extra=f"store:{store}/a")
    mover = start_mover()
    wait_for(job, S.FAILED)
    item = TransferItem.objects.get(job_id=job.id, state="error")
    assert f"{store}/late: No such file or directory" in item.transfer_info["message"]
    (store / "late").write_text("late")
    item.state = "pending"
    item.save()
    mover.wake()
    wait_for(job, S.PREPROCESSED)
    assert (workdir(site, job) / "in.dat").read_text() == "late"


def test_a_path_outside_of_its_location_is_refused(app, store, start_mover):
    (store / "out").symlink_to("/etc")
    jobs = [
        new_job(app, "one", data="store:/etc/hostname"),
        new_job(app, "two", data=f"store:{store}/out/hostname"),
    ]
    start_mover()
    for job in jobs:
        wait_for(job, S.FAILED)


@pytest.mark.parametrize("trap", ["workdir", "below"])
def test_nothing_is_written_through_a_link(app, site, store, tmp_path, start_mover, trap):
    victim = tmp_path / "victim"
    victim.mkdir()
    job = new_job(app, "w/x", data=f"store:{store}/a", tree=f"store:{store}")
    top = Path(site.path, "data", "w")
    top.mkdir(parents=True)
    if trap == "workdir":
        (top / "x").symlink_to(victim)
    else:
        (top / "x").mkdir()
        (top / "x" / "sub").symlink_to(victim)
    start_mover()
    wait_for(job, S.FAILED)
    assert list(victim.iterdir()) == []
    (item, *_) = TransferItem.objects.filter(job_id=job.id, state="error")
    assert "is a link" in item.transfer_info["message"]


def test_failures_are_tried_again_until_the_budget_is_used_up(app, store, start_mover, monkeypatch):
    monkeypatch.setattr(outcomes, "_FIRST_PAUSE_SEC", 0.001)
    data = store.parent / "site" / "data"
    data.mkdir(parents=True)
    (data / ".balsam-transfers").write_text("in the way")
    job = new_job(app, data=f"store:{store}/a")
    start_mover()
    wait_for(job, S.FAILED)
    item = TransferItem.objects.get(job_id=job.id)
    assert item.attempts == outcomes.MAX_TRIES
    assert "It was tried 5 times" in item.transfer_info["message"]


def test_a_cancelled_transfer_fails_its_job_and_one_that_is_done_lets_it_go_on(app, store):
    first, second = new_job(app, "1", data=f"store:{store}/a"), new_job(app, "2", data=f"store:{store}/a")
    item = TransferItem.objects.get(job_id=first.id)
    item.state = "error"
    item.save()
    wait_for(first, S.FAILED)
    item = TransferItem.objects.get(job_id=second.id)
    item.state = "done"
    item.save()
    wait_for(second, S.PREPROCESSED)
    item.state = "pending"
    with pytest.raises(RefusedError, match="only one that has failed"):
        item.save()


def test_transfers_are_read_and_changed_but_not_made(app, store):
    job = new_job(app, data=f"store:{store}/a", result=f"store:{store}/b")
    assert not hasattr(TransferItem.objects, "create")
    with pytest.raises(AttributeError, match="read-only"):
        TransferItem(job_id=job.id)
    assert TransferItem.objects.filter(job_state="READY", direction="in").count() == 1
    assert TransferItem.objects.filter(site_id=job.site_id, state=["pending", "awaiting_job"]).count() == 2
    assert TransferItem.objects.filter(tags={"no": "such"}).count() == 0
    with pytest.raises(AttributeError, match="cannot be set"):
        TransferItem.objects.first().local_path = "x"


def test_transfers_go_with_their_job(app, store):
    job = new_job(app, data=f"store:{store}/a")
    job.delete()
    assert not Row.objects.exists()


def test_children_of_a_job_that_takes_results_out_are_released(app, store, start_mover, session_id, site):
    parent = new_job(app, "parent", data=f"store:{store}/a", result=f"store:{store}/b")
    transfers = {"data": f"store:{store}/b"}
    child = Job.objects.create("child", app.id, transfers=transfers, parent_ids={parent.id})
    assert child.state == S.AWAITING_PARENTS
    mover = start_mover()
    wait_for(parent, S.PREPROCESSED)
    (workdir(site, parent) / "out.dat").write_text("from the parent")
    run(parent, session_id)
    mover.wake()
    wait_for(child, S.PREPROCESSED)
    assert (workdir(site, child) / "in.dat").read_text() == "from the parent"


def test_two_movers_do_nothing_twice_and_hand_back_what_they_did_not_begin(
    app, store, start_mover, session_id
):
    Job.objects.bulk_create(
        [Job(f"w{n}", app.id, transfers={"data": f"store:{store}/a"}) for n in range(300)]
    )
    first = start_mover(batch_size=7, query_limit=40)
    start_mover(open_session(), batch_size=20, look_sec=0.3)
    first.stop(5)
    wait_until(lambda: BalsamJob.objects.filter(state=S.PREPROCESSED).count() == 300)
    assert Row.objects.exclude(state="done").count() == 0
    assert Row.objects.filter(attempts__gt=2).count() == 0


def test_a_job_killed_while_it_waits_is_left_alone(app, store, start_mover):
    job = new_job(app, data=f"store:{store}/a")
    BalsamJob.objects.get(number=job.id).update_state("USER_KILLED")
    assert TransferItem.objects.get(job_id=job.id).state == "awaiting_job"


@pytest.mark.parametrize("second", ["{}/other/a", "local:{}/other/a/"])
def test_addresses_of_one_name_are_refused_before_anything_is_brought(second, db, store, start_processor):
    (store / "other").mkdir()
    (store / "other" / "a").write_text("other data")
    url = f"{store}/a {second.format(store)}"
    job = BalsamJob(name="old", workflow="w", application="app", stage_in_url=url)
    ApplicationDefinition.objects.create(name="app", executable="/bin/true")
    job.save()
    start_processor()
    wait_until(lambda: BalsamJob.objects.get(pk=job.pk).state == S.FAILED)
    (item,) = Row.objects.filter(job_id=job.pk, state="error")
    assert f"Both {store}/a and {second.format(store)} would be brought to" in item.transfer_info["message"]


def test_reconciling_jobs_frees_no_transfer_that_a_mover_holds(app, store, session_id):
    job = new_job(app, data=f"store:{store}/a")
    request = TransferClaimRequest(session_id=session_id, limit=10, site_id=job.site_id)
    (spec,) = Client().claim_transfers(request).items
    assert Client().reconcile(session_id, []) == 0
    assert Row.objects.get(pk=spec.item_id).session_id == session_id
    knowing = TransferClaimRequest(session_id=session_id, limit=10, site_id=job.site_id, held=(spec.item_id,))
    assert Client().claim_transfers(knowing).items == ()
    (again,) = Client().claim_transfers(request).items
    assert (again.item_id, again.attempt) == (spec.item_id, 2), "the answer to the first claim was lost"
