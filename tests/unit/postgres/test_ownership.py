import os
from dataclasses import replace
from pathlib import Path

import pytest

from balsam.exceptions import ConflictError
from balsam.lib.processes import this_process
from balsam.postgres import ownership
from balsam.postgres.ownership import Owner, claim, hand_over, is_elsewhere, read_owner, release

HERE = this_process()
#: A process of this boot that has ended: no process has started before the machine.
DEAD = replace(HERE, pid=HERE.pid, start_time=-1.0)
ELSEWHERE = replace(HERE, host="login9", boot_id="another")


@pytest.fixture
def record(tmp_path: Path) -> Path:
    return tmp_path / ".server-owner"


def write(record: Path, owner: Owner) -> None:
    record.write_text(ownership._text(owner))


def test_first_claim_names_this_process(record: Path, tmp_path: Path) -> None:
    claim(record, tmp_path)
    assert read_owner(record) == Owner(HERE, is_starting=True)
    assert os.listdir(tmp_path) == [record.name]


def test_claim_of_a_dead_process_is_taken_over(record: Path, tmp_path: Path) -> None:
    for is_starting in (True, False):
        write(record, Owner(DEAD, is_starting))
        claim(record, tmp_path)
        assert read_owner(record) == Owner(HERE, is_starting=True)


def test_claim_from_before_the_reboot_is_taken_over(record: Path, tmp_path: Path) -> None:
    write(record, Owner(replace(HERE, boot_id="last week"), is_starting=False))
    claim(record, tmp_path)
    assert read_owner(record) == Owner(HERE, is_starting=True)


def test_another_hosts_claim_is_respected(record: Path, tmp_path: Path) -> None:
    write(record, Owner(ELSEWHERE, is_starting=False))
    with pytest.raises(ConflictError) as caught:
        claim(record, tmp_path)
    message = str(caught.value)
    assert "running on host login9" in message
    assert "balsam server --stop" in message
    assert "--force-takeover" in message
    assert read_owner(record) == Owner(ELSEWHERE, is_starting=False)


def test_another_hosts_claim_is_taken_over_by_force(record: Path, tmp_path: Path) -> None:
    write(record, Owner(ELSEWHERE, is_starting=False))
    claim(record, tmp_path, force=True)
    assert read_owner(record) == Owner(HERE, is_starting=True)


def test_live_process_that_is_no_server_of_this_directory_does_not_count(
    record: Path, tmp_path: Path
) -> None:
    parent = replace(HERE, pid=os.getppid())
    identity = ownership.identify(parent.pid)
    assert identity is not None
    write(record, Owner(identity, is_starting=False))
    claim(record, tmp_path)
    assert read_owner(record) == Owner(HERE, is_starting=True)


def test_live_process_that_is_starting_the_server_is_respected(record: Path, tmp_path: Path) -> None:
    identity = ownership.identify(os.getppid())
    assert identity is not None
    write(record, Owner(identity, is_starting=True))
    with pytest.raises(ConflictError, match="being started"):
        claim(record, tmp_path)


def test_host_that_changed_its_name_since_is_still_this_one(record: Path, tmp_path: Path) -> None:
    write(record, Owner(replace(DEAD, host="old-name"), is_starting=False))
    claim(record, tmp_path)
    assert read_owner(record) == Owner(HERE, is_starting=True)


def test_other_host_that_was_first_wins(
    record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(record, Owner(ELSEWHERE, is_starting=True))
    monkeypatch.setattr(ownership, "read_owner", lambda path: None)  # as it was a moment ago
    with pytest.raises(ConflictError, match="just begun"):
        claim(record, tmp_path)
    monkeypatch.undo()
    assert read_owner(record) == Owner(ELSEWHERE, is_starting=True)
    assert os.listdir(tmp_path) == [record.name]


def test_file_system_without_links_excludes_others_as_well(
    record: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_links(source: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    claim(record, tmp_path)
    monkeypatch.setattr(ownership, "read_owner", lambda path: None)
    with pytest.raises(ConflictError, match="just begun"):
        claim(record, tmp_path)


def test_damaged_record_is_respected_and_left(record: Path, tmp_path: Path) -> None:
    record.write_text('{"process": {"host"')
    with pytest.raises(ConflictError, match=str(record)):
        claim(record, tmp_path, force=True)
    assert record.read_text() == '{"process": {"host"'


def test_server_is_recorded_when_it_runs_and_forgotten_when_it_stopped(record: Path) -> None:
    hand_over(record, os.getpid())
    assert read_owner(record) == Owner(HERE, is_starting=False)
    release(record)
    release(record)
    assert read_owner(record) is None


def test_only_what_cannot_be_seen_is_elsewhere() -> None:
    assert is_elsewhere(Owner(ELSEWHERE, False))
    assert not is_elsewhere(Owner(HERE, False))
    assert not is_elsewhere(Owner(DEAD, False))
