import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from balsam.postgres import connecting
from balsam.postgres.accounts import login_name
from balsam.postgres.connecting import (
    address,
    answers_on_socket,
    answers_on_tcp,
    connection_params,
    short_hostname,
)
from balsam.postgres.serverinfo import ServerInfo, write_server_info


@pytest.fixture
def socket_dir() -> Iterator[Path]:
    """A directory whose name is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="balsam-", dir="/tmp") as name:
        yield Path(name)


@pytest.fixture
def listening(socket_dir: Path) -> Iterator[ServerInfo]:
    """A server of this host that has a socket with number 1234."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{socket_dir}/.s.PGSQL.1234")
        server.listen()
        yield ServerInfo(short_hostname(), 1234, socket_dir=str(socket_dir))


def test_server_of_this_host_is_reached_by_its_socket(listening: ServerInfo) -> None:
    assert address(listening) == listening.socket_dir
    assert answers_on_socket(listening)


def test_server_of_this_host_without_its_socket_is_reached_by_loopback() -> None:
    assert address(ServerInfo(short_hostname(), 1234, socket_dir="/nowhere")) == "127.0.0.1"


def test_server_of_another_host_is_reached_by_its_name(listening: ServerInfo) -> None:
    other = ServerInfo("login9", 1234, socket_dir=listening.socket_dir)
    assert address(other) == "login9"


def test_copied_file_with_localhost_goes_through_the_tunnel(tmp_path: Path, listening: ServerInfo) -> None:
    copy = ServerInfo(
        "localhost",
        1234,
        "alice",
        "pw",
        socket_dir=listening.socket_dir,
        extra={"thetahost": "thetalogin4"},
    )
    write_server_info(tmp_path, copy)
    params = connection_params(tmp_path)
    assert (params["host"], params["port"], params["user"]) == ("localhost", 1234, "alice")


def test_tcp_refuses_to_send_the_password_in_clear(tmp_path: Path) -> None:
    write_server_info(tmp_path, ServerInfo("login9", 1234))
    assert connection_params(tmp_path)["require_auth"] == "scram-sha-256"


def test_socket_of_a_server_that_died_does_not_answer(socket_dir: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"{socket_dir}/.s.PGSQL.1234")
    assert not answers_on_socket(ServerInfo(short_hostname(), 1234, socket_dir=str(socket_dir)))


@contextmanager
def far_end(reply: bytes) -> Iterator[ServerInfo]:
    """Somebody who listens, and says ``reply`` to the first who speaks."""

    def serve() -> None:
        client, _ = server.accept()
        with client:
            client.recv(64)
            client.sendall(reply)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield ServerInfo("localhost", server.getsockname()[1])
        thread.join(timeout=20)


@pytest.mark.parametrize(
    ("reply", "is_server"), [(b"N", True), (b"S", True), (b"", False), (b"HTTP/1.1", False)]
)
def test_tcp_answers_where_a_server_speaks(reply: bytes, is_server: bool) -> None:
    with far_end(reply) as info:
        assert answers_on_tcp(info) == is_server


def test_tcp_does_not_answer_where_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        info = ServerInfo("localhost", server.getsockname()[1])
    assert not answers_on_tcp(info)
    assert not answers_on_tcp(ServerInfo("localhost", 0))


def test_role_is_the_callers_then_the_environments_then_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_server_info(tmp_path, ServerInfo("h", 1234, "owner"))
    assert connection_params(tmp_path)["user"] == "owner"
    monkeypatch.setenv("BALSAM_USER", "guest")
    assert connection_params(tmp_path)["user"] == "guest"
    assert connection_params(tmp_path, user="me")["user"] == "me"


def test_role_of_a_file_without_one_is_the_login_name(tmp_path: Path) -> None:
    write_server_info(tmp_path, ServerInfo("h", 1234))
    assert connection_params(tmp_path)["user"] == login_name()


def test_user_without_a_name_gets_one_from_his_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting.os, "geteuid", lambda: 987654)
    monkeypatch.delenv("USER", raising=False)
    assert login_name() == "uid987654"
