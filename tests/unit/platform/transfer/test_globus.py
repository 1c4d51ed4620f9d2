"""What the documents of Globus say of each move."""

import pytest

from balsam.platform.transfer import Endpoint
from balsam.platform.transfer.globus import (
    Item,
    consents_of,
    failure_of,
    has_part,
    is_done,
    skipped_of,
    stray_of,
    trouble_of,
)

FILE, TREE = Item("/a", "/x/a", False), Item("/t", "/x/t", None)
FAILED = {"task_id": "T", "fatal_error": {"code": "PERMISSION_DENIED", "description": "Permission denied"}}


@pytest.mark.parametrize(
    ("local", "path"),
    [("/site/data/x", "/e/data/x"), ("/site", "/e"), ("/sites/x", None), ("/other", None)],
)
def test_the_endpoint_of_a_site_has_its_own_paths(local: str, path: str | None):
    assert Endpoint("id", "/site", "/e/").path_of(local) in (path, f"{path}/")
    assert Endpoint("id", "/site").path_of(local) == local


@pytest.mark.parametrize(
    ("task", "words"),
    [
        ({"status": "ACTIVE", "nice_status": "OK"}, ""),
        ({"status": "ACTIVE", "nice_status": "Queued"}, ""),
        ({"status": "ACTIVE", "nice_status": None}, ""),
        ({"status": "ACTIVE", "is_paused": True}, "The task is paused"),
        ({"status": "INACTIVE"}, "The login of an endpoint has expired"),
        (
            {"status": "ACTIVE", "nice_status": "GC_PAUSED", "nice_status_short_description": "paused"},
            "GC_PAUSED: paused",
        ),
    ],
)
def test_a_task_says_what_it_waits_for(task: dict[str, object], words: str):
    assert trouble_of(task) == words


def test_what_was_skipped_concerns_its_own_move():
    skipped = [{"source_path": "/t/b", "error_code": "PERMISSION_DENIED", "error_details": "no"}]
    found = skipped_of([TREE], skipped, is_alone=False)
    assert found is not None and found.is_final
    assert found.words == "PERMISSION_DENIED: no: /t/b"
    assert skipped_of([FILE], skipped, is_alone=False) is None
    assert skipped_of([FILE], skipped, is_alone=True) is not None
    assert skipped_of([Item("/", "/x", None)], skipped, is_alone=False) is not None
    assert stray_of([FILE, TREE], skipped) is None
    stray = stray_of([FILE], [{"source_path": None, "error_code": "FILE_NOT_FOUND"}])
    assert stray is not None and not stray.is_final


def test_an_error_of_a_file_is_final_for_it_and_no_other():
    details = "Error (transfer)\nFile: /a\nMessage: no\n"
    events = [{"is_error": True, "code": "PERMISSION_DENIED", "details": details}]
    assert failure_of(FAILED, [FILE], events, is_alone=False).is_final
    for name in ("/a/b", "/", "/ab", "/x/a b"):
        other = failure_of(FAILED, [Item(name, f"/y{name}", False)], events, is_alone=False)
        assert other.is_final is (name == "/"), name
    other = failure_of(FAILED, [TREE], events, is_alone=False)
    assert not other.is_final
    assert other.words == "The Globus task T failed: PERMISSION_DENIED: Permission denied"
    assert failure_of(FAILED, [TREE], [], is_alone=True).is_final


def test_files_show_what_was_done():
    assert is_done([FILE], {"/x/a"}) and not is_done([FILE, TREE], {"/x/a", "/x/t/b"})
    assert has_part([FILE, TREE], {"/x/a", "/x/t/b"}) and not has_part([TREE], {"/x/tt"})


def test_consents_are_named_by_their_endpoints():
    endpoint = "08925f04-569f-11e7-bef8-22000b9a448b"
    scope = f"urn:globus:auth:scope:transfer.api.globus.org:all[*https://auth.globus.org/scopes/{endpoint}/data_access]"
    assert consents_of([scope, scope]) == [endpoint]
