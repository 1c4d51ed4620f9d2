"""Transfers by the SDK of Globus and a service that speaks its API: what becomes of each file."""

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from balsam.exceptions import StepError, StepInterrupted, UsageError
from balsam.platform.transfer import Endpoint
from balsam.processing.transfers import by_globus
from balsam.processing.transfers.globus_login import GlobusFlow, GlobusLogin, login_file, read_login
from balsam.processing.transfers.planning import plan
from balsam.schemas.transfers import TransferResult, TransferSpec
from tests.globus_service import GlobusService, globus_service
from tests.unit.processing.transfers.carried import carry, transfer_spec

FAR, OWN = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"
CLIENT = "33333333-3333-4333-8333-333333333333"
AT_ROOT = Endpoint(OWN)
HOSTILE = ["a b", "-rf", 'it\'s "q"', "ümläut-文", "$(x);`y`", "*?[a]", "back\\slash"]


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GlobusService]:
    monkeypatch.setenv("BALSAM_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(by_globus, "_FIRST_PAUSE_SEC", 0.01)
    with globus_service() as found:
        monkeypatch.setenv("GLOBUS_SDK_SERVICE_URL_AUTH", found.url)
        monkeypatch.setenv("GLOBUS_SDK_SERVICE_URL_TRANSFER", found.url)
        found.endpoints = {FAR: tmp_path / "far", OWN: Path("/")}
        (tmp_path / "far").mkdir()
        (tmp_path / "site" / "data").mkdir(parents=True)
        yield found


@pytest.fixture
def login(service: GlobusService) -> GlobusLogin:
    return log_in(service)


def log_in(service: GlobusService, *consents: str) -> GlobusLogin:
    flow = GlobusFlow(CLIENT, consents)
    return flow.finish(service.visit(flow.link))


class Moved:
    """Transfers that were carried: their results by id, and what was noted."""

    def __init__(self, specs: Sequence[TransferSpec], endpoint: Endpoint, dies_at: int = 0) -> None:
        self.dies_at = dies_at
        self.results: dict[int, TransferResult] = {}
        self.notes: list[str] = []
        plans = [plan(spec, None) for spec in specs]
        carry(plans, self.keep, self.note, endpoint)

    def keep(self, result: TransferResult) -> None:
        assert result.item_id not in self.results
        self.results[result.item_id] = result

    def note(self, notes: Sequence[TransferResult]) -> None:
        (text,) = {note.task_id for note in notes}
        self.notes.append(text)
        if len(self.notes) == self.dies_at:
            raise StepInterrupted


def moved(*specs: TransferSpec, endpoint: Endpoint = AT_ROOT) -> Moved:
    return Moved(specs, endpoint)


def slot(tmp_path: Path, number: int = 1, **fields: Any) -> TransferSpec:
    workdir = tmp_path / "site" / "data" / f"job{number}"
    defaults = {"direction": "in", "slot": "x", "location_alias": "far", "location": f"globus://{FAR}",
                "remote_path": "/a", "local_path": "in", "recursive": False}  # fmt: skip
    return transfer_spec(workdir, item_id=number, **{**defaults, **fields})


def test_many_files_of_any_name_come_in_by_one_task(service, login, tmp_path):
    specs = []
    for number, name in enumerate([*HOSTILE, *(f"n{n}" for n in range(25))], 1):
        (tmp_path / "far" / name).write_text(f"content of {name}")
        specs.append(slot(tmp_path, number, remote_path=f"/{name}", local_path="."))
    done = moved(*specs)
    for spec in specs:
        assert done.results[spec.item_id].state == "done", done.results[spec.item_id].message
        name = spec.remote_path[1:]
        assert Path(spec.workdir, name).read_text() == f"content of {name}"
        assert done.results[spec.item_id].size_bytes == len(f"content of {name}".encode())
    (task,) = service.book.values()
    (submission,) = service.book
    assert done.notes == [f"submission:{submission}", task.task_id]
    assert [path for path in (tmp_path / "site/data/.balsam-transfers").iterdir() if path.is_dir()] == []


def test_trees_come_in(service, login, tmp_path):
    (tmp_path / "far/t/deep").mkdir(parents=True)
    (tmp_path / "far/t/deep/x").write_text("x")
    done = moved(slot(tmp_path, remote_path="/t", local_path="sub", recursive=True))
    assert done.results[1].state == "done", done.results[1].message
    assert (tmp_path / "site/data/job1/sub/deep/x").read_text() == "x"


def test_addresses_of_jobs_bring_files_and_directories_under_their_names(service, login, tmp_path):
    (tmp_path / "far/t").mkdir()
    (tmp_path / "far/t/x").write_text("x")
    (tmp_path / "far/f").write_text("f")
    for name in ("t", "f"):
        spec = slot(tmp_path, slot="", location_alias="", location="", recursive=True,
                    remote_path=f"globus://{FAR}/{name}", local_path=".")  # fmt: skip
        assert moved(spec).results[1].state == "done"
    assert (tmp_path / "site/data/job1/t/x").read_text() == "x"
    assert (tmp_path / "site/data/job1/f").read_text() == "f"


def test_files_and_trees_go_out(service, login, tmp_path):
    workdir = tmp_path / "site/data/job1"
    (workdir / "sub").mkdir(parents=True)
    (workdir / "out").write_text("result")
    (workdir / "sub" / "ü").write_text("12345")
    file = slot(tmp_path, direction="out", local_path="out", remote_path="/r/a b")
    tree = slot(tmp_path, direction="out", local_path="sub", remote_path="/tree", recursive=True)
    assert moved(file).results[1].state == "done"
    done = moved(tree)
    assert (done.results[1].state, done.results[1].size_bytes) == ("done", 5)
    assert (tmp_path / "far/r/a b").read_text() == "result"
    assert (tmp_path / "far/tree/ü").read_text() == "12345"
    empty = slot(tmp_path, direction="out", slot="", local_path="*.none", remote_path=f"globus://{FAR}/r")
    assert moved(empty).results[1].state == "done"
    assert len(service.book) == 2


@pytest.mark.parametrize("path", ["", "/seen"])
def test_the_endpoint_may_call_the_site_otherwise(service, login, tmp_path, path):
    (tmp_path / "far/a").write_text("a")
    service.endpoints[OWN] = tmp_path if path else Path("/")
    (tmp_path / "seen").symlink_to(tmp_path / "site")
    done = moved(slot(tmp_path), endpoint=Endpoint(OWN, str(tmp_path / "site"), path))
    assert done.results[1].state == "done", done.results[1].message
    (item,) = next(iter(service.book.values())).document["DATA"]
    assert item["destination_path"].startswith(f"{path or tmp_path / 'site'}/data/")
    elsewhere = replace(slot(tmp_path, direction="out", local_path="out"), workdir=str(tmp_path / "w"))
    (tmp_path / "w").mkdir()
    (tmp_path / "w/out").write_text("x")
    result = moved(elsewhere, endpoint=Endpoint(OWN, str(tmp_path / "site"), path)).results[1]
    assert result.state == ("error" if path else "done"), result.message
    if path:
        assert "globus_endpoint_site_path" in result.message


def test_an_endpoint_that_is_not_that_of_the_site_is_told_of(service, login, tmp_path):
    (tmp_path / "far/a").write_text("a")
    service.endpoints[OWN] = tmp_path / "elsewhere"
    result = moved(slot(tmp_path)).results[1]
    assert (result.state, result.is_failure) == ("inactive", True)
    assert "globus_endpoint_id" in result.message


def test_what_is_not_there_fails_alone_with_the_words_of_globus(service, login, tmp_path):
    (tmp_path / "far/a").write_text("a")
    (tmp_path / "far/d").mkdir()
    done = moved(slot(tmp_path, 1), slot(tmp_path, 2, remote_path="/none"))
    assert done.results[1].state == "done"
    assert done.results[2].state == "error"
    assert "FILE_NOT_FOUND: Error (transfer)\nFile: /none" in done.results[2].message
    missing = slot(tmp_path, 3, direction="out", local_path="none")
    assert "to be taken out" in moved(missing).results[3].message
    directory = moved(slot(tmp_path, 4, remote_path="/d")).results[4]
    assert directory.state == "error" and "IS_A_DIRECTORY" in directory.message


@pytest.mark.parametrize("home", ["", "/home/ada"])
def test_a_tree_of_which_something_was_left_out_is_not_done(service, login, tmp_path, home):
    service.home = home
    service.unreadable = {"secret"}
    specs = []
    for number, name in enumerate(["t", "u"], 1):
        (tmp_path / f"far/{name}").mkdir()
        (tmp_path / f"far/{name}/x").write_text("x")
        specs.append(slot(tmp_path, number, remote_path=f"/{name}", local_path="sub", recursive=True))
    (tmp_path / "far/t/secret").write_text("x")
    results = moved(*specs).results
    assert not (tmp_path / "site/data/job1/sub").exists()
    assert results[1].state == ("inactive" if home else "error"), "it is not known whose it is"
    assert results[2].state == ("inactive" if home else "done")
    alone = moved(specs[0]).results[1]
    assert alone.state == "error" and "PERMISSION_DENIED" in alone.message and "/t/secret" in alone.message


def test_of_a_task_that_failed_what_was_copied_is_done(service, login, tmp_path):
    for number in range(1, 31):
        (tmp_path / f"far/f{number}").write_text(str(number))
    service.fatal["f27"] = "PERMISSION_DENIED"
    specs = [slot(tmp_path, number, remote_path=f"/f{number}") for number in range(1, 31)]
    results = moved(*specs).results
    assert [n for n in results if results[n].state == "done"] == list(range(1, 27))
    assert results[27].state == "error" and "File: /f27" in results[27].message
    assert {results[n].state for n in (28, 29, 30)} == {"inactive"}
    assert all(results[n].is_failure for n in (28, 29, 30))
    service.fatal.clear()
    again = moved(*specs[27:])
    assert {result.state for result in again.results.values()} == {"done"}


def test_without_a_login_all_wait_and_say_what_to_type(service, tmp_path):
    result = moved(slot(tmp_path)).results[1]
    assert (result.state, result.is_failure) == ("inactive", False)
    assert "`balsam site globus-login`" in result.message


def test_a_missing_consent_is_asked_for_by_name(service, login, tmp_path):
    (tmp_path / "far/a").write_text("a")
    service.wants_consent = {FAR, OWN}
    first = moved(slot(tmp_path))
    assert (first.results[1].state, first.results[1].is_failure) == ("inactive", False)
    assert f"`balsam site globus-login -e {FAR} -e {OWN}`" in first.results[1].message
    assert first.notes[-1] == "refused", "nothing was submitted"
    log_in(service, FAR, OWN)
    again = moved(slot(tmp_path, task_id=first.notes[-1]))
    assert again.results[1].state == "done", again.results[1].message
    assert len(service.book) == 1


def test_an_access_token_that_has_expired_is_refreshed_and_kept(service, tmp_path):
    (tmp_path / "far/a").write_text("a")
    service.lifetime_sec = -10
    old = log_in(service)
    service.lifetime_sec = 3600
    assert moved(slot(tmp_path)).results[1].state == "done"
    new = read_login()
    assert new is not None and new.access_token != old.access_token and new.expires_at_seconds > time.time()
    assert new.refresh_token == old.refresh_token
    assert os.stat(login_file()).st_mode & 0o777 == 0o600


def test_a_login_that_has_ended_is_asked_for_again(service, login, tmp_path):
    service.access.clear()
    service.refresh.clear()
    result = moved(slot(tmp_path)).results[1]
    assert (result.state, result.is_failure) == ("inactive", False)
    assert "invalid_grant" in result.message and "`balsam site globus-login --again`" in result.message


def test_a_login_file_that_is_damaged_is_named(service, tmp_path):
    login_file().parent.mkdir()
    login_file().write_text(json.dumps({"client_id": "x"}))
    assert str(login_file()) in moved(slot(tmp_path)).results[1].message


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_service_that_fails_is_asked_again_and_nothing_is_submitted_twice(service, login, tmp_path, status):
    (tmp_path / "far/a").write_text("a")
    service.faults = [status]
    assert moved(slot(tmp_path)).results[1].state == "done"
    service.faults = [status] * 50
    down = moved(slot(tmp_path))
    assert (down.results[1].state, down.results[1].is_failure) == ("inactive", False)
    assert "Not just now" in down.results[1].message
    service.faults = []
    assert moved(slot(tmp_path)).results[1].state == "done"
    assert len(service.book) == 2


def test_a_service_that_is_not_there_is_waited_for(service, login, tmp_path, monkeypatch):
    monkeypatch.setenv("GLOBUS_SDK_SERVICE_URL_TRANSFER", "http://127.0.0.1:1")
    result = moved(slot(tmp_path)).results[1]
    assert (result.state, result.is_failure) == ("inactive", False)
    assert "Globus does not answer" in result.message


@pytest.mark.parametrize("trouble", ["GC_NOT_CONNECTED", "PAUSED", "INACTIVE"])
def test_a_task_that_waits_for_somebody_says_so_and_is_gone_on_with(service, login, tmp_path, trouble):
    (tmp_path / "far/a").write_text("a")
    service.goes_on.clear()
    service.trouble = trouble
    first = moved(slot(tmp_path))
    assert (first.results[1].state, first.results[1].is_failure) == ("inactive", False)
    (task,) = service.book.values()
    assert task.task_id in first.results[1].message
    service.trouble = ""
    service.goes_on.set()
    assert moved(slot(tmp_path, task_id=first.notes[-1])).results[1].state == "done"
    assert len(service.book) == 1


def test_a_submission_that_was_made_is_found_again(service, login, tmp_path):
    """The process was killed after it had submitted, and before it had noted the task."""
    (tmp_path / "far/a").write_text("a")
    (tmp_path / "far/b").write_text("b")
    first = Moved([slot(tmp_path)], Endpoint(OWN), dies_at=2)
    assert first.results[1].state == "pending"
    submission = first.notes[0]
    specs = [slot(tmp_path, task_id=submission), slot(tmp_path, 2, remote_path="/b", task_id=submission)]
    second = moved(*specs)
    assert service.duplicates == 1 and len(service.book) == 1
    assert second.results[1].state == "done", second.results[1].message
    assert second.results[2].state == "inactive" and "not part of" in second.results[2].message
    assert second.notes == [], "of the second it is not certain, so the task is not noted"


def test_a_task_that_globus_has_forgotten_is_begun_anew(service, login, tmp_path):
    result = moved(slot(tmp_path, task_id="44444444-4444-4444-8444-444444444444")).results[1]
    assert (result.state, result.is_failure) == ("inactive", True)
    assert "TaskNotFound" in result.message


def test_what_globus_refuses_fails_with_its_words(service, login, tmp_path):
    del service.endpoints[FAR]
    result = moved(slot(tmp_path)).results[1]
    assert result.state == "error" and "EndpointNotFound: No such endpoint" in result.message


def test_a_site_without_an_endpoint_fails_with_what_to_write(service, login, tmp_path):
    result = moved(slot(tmp_path), endpoint=Endpoint()).results[1]
    assert result.state == "error" and "transfers.globus_endpoint_id" in result.message


def test_without_the_sdk_the_words_say_what_to_install(service, login, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "globus_sdk", None)
    result = moved(slot(tmp_path)).results[1]
    assert result.state == "error" and "pip install 'balsam[globus]'" in result.message


@pytest.mark.parametrize("address", ["globus://nobody/x", f"globus:{FAR}/x", f"globus://{FAR}", "globus:/x"])
def test_an_address_without_an_endpoint_is_refused(tmp_path, address):
    with pytest.raises((UsageError, StepError), match="globus://ENDPOINT_UUID/PATH"):
        plan(slot(tmp_path, slot="", remote_path=address), None)
