"""Word from the database says at which site something has happened."""

import pytest

from balsam.core import transitions
from balsam.core.listening import DatabaseListener
from balsam.core.models import BalsamJob, Site
from balsam.core.notices import BATCH, END, TRANSFERS, WORK, Notice, lost, notify, read
from balsam.core.transfers import claim_transfers
from balsam.schemas.transfers import TransferClaimRequest, TransferResult
from tests.jobs import add_app, add_job, claim, open_session

pytestmark = pytest.mark.usefixtures("db")


def heard(listener: DatabaseListener, *wanted: Notice) -> set[Notice]:
    """Listen until all of these have come; return whatever came."""
    found: set[Notice] = set()
    while not found.issuperset(wanted):
        came = listener.notices(30)
        assert came, f"only {found}"
        found.update(came)
    return found


def test_new_work_ends_and_losses_are_told_with_their_sites():
    add_app()
    other = Site.objects.create(name="other", path="/sites/other").pk
    listener = DatabaseListener()
    here, there = add_job(), add_job(site_id=other)
    heard(listener, Notice(WORK, 1), Notice(WORK, other))
    session = open_session()
    claim(session)
    transitions.set_state([here.pk], "FAILED")
    assert heard(listener, Notice(END, 1), Notice(lost(session), 1)).isdisjoint({Notice(END, other)})
    there.delete()
    heard(listener, Notice(END, other))
    listener.close()


def test_transfers_are_told_when_there_are_some_to_do_and_when_nobody_wants_them():
    add_app()
    listener = DatabaseListener()
    job = add_job(stage_in_url="/a /b")
    assert Notice(TRANSFERS, 1) in heard(listener, Notice(WORK, 1))
    session = open_session("service")
    first, second = claim_transfers(TransferClaimRequest(session_id=session, limit=9)).items
    done = [TransferResult(item_id=one.item_id, attempt=one.attempt, state="done") for one in (first, second)]
    transitions.report_transfers(session, done)
    told = heard(listener, Notice(WORK, 1))
    assert Notice(TRANSFERS, 1) not in told, "the job goes on, and there is nothing to move"
    back = add_job(stage_in_url="/a")
    heard(listener, Notice(TRANSFERS, 1))
    transitions.set_state([back.pk], "USER_KILLED")
    heard(listener, Notice(TRANSFERS, 1), Notice(END, 1))
    assert BalsamJob.objects.get(pk=job.pk).state == "PREPROCESSED"
    listener.close()


def test_topics_alone_come_once_whatever_site_they_are_of():
    listener = DatabaseListener()
    notify([(WORK, 1), (WORK, 2), (BATCH, 2), (END, None)])
    assert listener.wait(30) == [BATCH, END, WORK]
    listener.close()


def test_word_of_no_site_concerns_all():
    assert read("work") == read("work@") == Notice("work", None)
    assert read("lost 7@12") == Notice(lost(7), 12)
