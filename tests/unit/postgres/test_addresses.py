import os
import socket
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from balsam.exceptions import DatabaseError
from balsam.postgres import addresses
from balsam.postgres.accounts import Account
from balsam.postgres.addresses import (
    LONGEST_SOCKET_DIR,
    PORTS,
    discard_socket_dir,
    next_free_port,
    prepare_socket_dir,
)

ME = Account(os.geteuid(), os.getegid())


@pytest.fixture
def short_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="balsam-", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
def fallback(short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The short directory that stands in for one whose path is too long; it does not exist yet."""
    first = short_dir / "first"

    def candidates(preferred: Path, uid: int) -> Iterator[Path]:
        yield from (preferred, first, short_dir / "second")

    monkeypatch.setattr(addresses, "socket_dir_candidates", candidates)
    return first


def test_port_that_is_free_is_kept() -> None:
    port = next_free_port(PORTS.start)
    assert next_free_port(port) == port


def test_port_that_is_taken_gives_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "is_free", lambda port: port not in (25000, 25001))
    assert next_free_port(25000) == 25002


def test_search_begins_again_at_the_lowest_port(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "is_free", lambda port: port == 20003)
    assert next_free_port(31990) == 20003


def test_port_below_our_range_is_kept_when_it_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "is_free", lambda port: port in (5432, 20000))
    assert next_free_port(5432) == 5432


def test_no_free_port_at_all_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "is_free", lambda port: False)
    with pytest.raises(DatabaseError, match="taken"):
        next_free_port(20000)


def test_port_that_somebody_listens_on_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert not addresses.is_free(server.getsockname()[1])


def test_short_path_is_used_and_is_private(short_dir: Path) -> None:
    chosen = prepare_socket_dir(short_dir / ".socket", ME)
    assert chosen == short_dir / ".socket"
    assert stat.S_IMODE(chosen.stat().st_mode) == 0o700
    assert os.listdir(chosen) == []


def test_path_is_cut_short_for_a_socket_address(fallback: Path) -> None:
    assert LONGEST_SOCKET_DIR + len("/.s.PGSQL.65535") + 1 <= 104  # sun_path of macOS; 108 on Linux
    assert prepare_socket_dir(Path("/tmp/" + "x" * LONGEST_SOCKET_DIR), ME) == fallback


def test_path_that_needs_quoting_is_not_used(fallback: Path, short_dir: Path) -> None:
    odd = short_dir / 'it\'s, "odd"'
    odd.mkdir()
    assert prepare_socket_dir(odd / ".socket", ME) == fallback


def test_file_system_without_sockets_is_not_used(
    fallback: Path, short_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(addresses, "_takes_sockets", lambda path: path == fallback)
    assert prepare_socket_dir(short_dir / ".socket", ME) == fallback


def test_link_laid_by_somebody_is_not_followed(fallback: Path, short_dir: Path) -> None:
    trap = short_dir / "trap"
    trap.mkdir(mode=0o700)
    fallback.symlink_to(trap)
    assert prepare_socket_dir(Path("/tmp/" + "x" * 100), ME) == short_dir / "second"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_directory_of_another_user_is_not_used(fallback: Path, short_dir: Path) -> None:
    fallback.mkdir(mode=0o700)
    os.chown(fallback, 4242, 4242)
    assert prepare_socket_dir(Path("/tmp/" + "x" * 100), ME) == short_dir / "second"


def test_own_directory_that_others_can_enter_is_closed(fallback: Path) -> None:
    fallback.mkdir()
    fallback.chmod(0o777)
    prepare_socket_dir(Path("/tmp/" + "x" * 100), ME)
    assert stat.S_IMODE(fallback.stat().st_mode) == 0o700


def test_no_directory_at_all_is_an_error(fallback: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "_takes_sockets", lambda path: False)
    with pytest.raises(DatabaseError, match="No directory for the server's socket"):
        prepare_socket_dir(Path("/tmp/" + "x" * 100), ME)


def test_last_name_to_be_tried_cannot_be_foreseen() -> None:
    first, second = (list(addresses.socket_dir_candidates(Path("/db/.socket"), 5)) for _ in range(2))
    assert first[:2] == second[:2]
    assert first[2] != second[2]


def test_directory_in_tmp_goes_with_its_server_and_one_in_the_database_stays(short_dir: Path) -> None:
    inside, outside = short_dir / ".socket", short_dir / "outside"
    for path in (inside, outside):
        path.mkdir()
        discard_socket_dir(path, preferred=inside)
    assert inside.exists() and not outside.exists()
    discard_socket_dir(Path(), preferred=inside)
