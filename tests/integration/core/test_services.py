"""One service for each database, what it says of itself, and whether launchers have run anything."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection

from balsam.client import Client
from balsam.core.models import JobEvent
from balsam.core.models.session import Session
from balsam.exceptions import ConflictError
from balsam.schemas.sessions import SessionRequest

pytestmark = pytest.mark.usefixtures("db")
REQUEST = SessionRequest(kind="service", host="h", boot_id="b", pid=7, start_time=1.5)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def test_second_service_is_refused_until_the_first_has_ended(db: Path):
    client = Client()
    first = client.open_service(REQUEST)
    with pytest.raises(ConflictError):
        client.open_service(replace(REQUEST, pid=8))
    found = client.current_service()
    assert found is not None
    assert (found.session.session_id, found.session.pid, found.status) == (first.session_id, 7, {})
    client.close_session(first.session_id, "done")
    assert client.current_service() is None
    assert client.open_service(replace(REQUEST, pid=8)).pid == 8


def test_same_process_that_asks_again_gets_its_session_again():
    client = Client()
    assert client.open_service(REQUEST).session_id == client.open_service(REQUEST).session_id


def test_of_eight_services_that_start_at_once_one_holds_the_database():
    def start(pid: int) -> bool:
        try:
            Client().open_service(replace(REQUEST, pid=pid))
        except ConflictError:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(start, range(1, 9))) == 1


def test_status_is_what_the_service_last_said():
    client = Client()
    session = client.open_service(REQUEST)
    client.tell_status(session.session_id, {"log": "a"})
    client.tell_status(session.session_id, {"log": "b", "loops": [1]})
    found = client.current_service()
    assert found is not None
    assert found.status == {"log": "b", "loops": [1]}


@pytest.fixture
def add_event() -> Callable[[int | None, str], None]:
    def add(session_id: int | None, state: str) -> None:
        job_id = "00000000-0000-0000-0000-000000000001"
        JobEvent.objects.create(
            job_id=job_id, from_state="PREPROCESSED", to_state=state, session_id=session_id
        )

    return add


def test_only_starts_of_jobs_by_younger_launchers_count(add_event: Callable[[int | None, str], None]):
    client = Client()
    service = client.open_service(REQUEST)
    launcher = client.open_session(replace(REQUEST, kind="launcher"))
    mark = client.runs_since(0, LONG_AGO).last_event
    add_event(service.session_id, "RUNNING")
    add_event(launcher.session_id, "FAILED")
    add_event(None, "RUNNING")
    assert not client.runs_since(mark, LONG_AGO).has_run
    add_event(launcher.session_id, "RUNNING")
    created = Session.objects.get(pk=launcher.session_id).created
    assert client.runs_since(mark, LONG_AGO).has_run
    assert not client.runs_since(mark, created + timedelta(seconds=1)).has_run
    assert not client.runs_since(client.runs_since(mark, LONG_AGO).last_event, LONG_AGO).has_run
