"""How long a client waits for a server, and how often it asks, is what client.yml says."""

import socket
import threading
from collections.abc import Iterator

import httpx
import pytest

from balsam.client.http import Http, server_of
from balsam.config.client_file import ClientSettings
from balsam.exceptions import ServerUnreachable


class Silent:
    """A server that takes connections and says nothing; it counts them."""

    def __init__(self, listening: socket.socket) -> None:
        self.address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        self.taken: list[socket.socket] = []
        self._listening = listening
        threading.Thread(target=self._take, daemon=True).start()

    def _take(self) -> None:
        while self._listening.fileno() >= 0:
            try:
                self.taken.append(self._listening.accept()[0])
            except OSError:
                return


@pytest.fixture
def silent() -> Iterator[Silent]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        server = Silent(listening)
        yield server
        listening.shutdown(socket.SHUT_RDWR)
    for taken in server.taken:
        taken.close()


def asked(settings: ClientSettings) -> tuple[Http, list[float]]:
    """Return a client of these settings that pauses for no time, and the list of its pauses."""
    pauses: list[float] = []
    return Http(settings.api_root, settings=settings, sleep=pauses.append), pauses


@pytest.mark.parametrize("retries", [0, 3, 25])
def test_request_is_sent_again_as_often_as_the_file_says(retries: int):
    server, pauses = asked(ClientSettings(api_root="http://127.0.0.1:9", retry_count=retries))
    with pytest.raises(ServerUnreachable, match="does not answer"):
        server.request("GET", "/auth/how")
    assert len(pauses) == retries


def test_who_has_jobs_that_run_asks_for_long_whatever_the_file_says():
    server, pauses = asked(ClientSettings(api_root="http://127.0.0.1:9", retry_count=0))
    server.set_patience(True)
    with pytest.raises(ServerUnreachable):
        server.request("GET", "/auth/how")
    assert sum(pauses) > 500
    server.set_patience(False)
    pauses.clear()
    with pytest.raises(ServerUnreachable):
        server.request("GET", "/auth/how")
    assert pauses == []


def test_answer_is_waited_for_as_long_as_the_file_says(silent: Silent):
    server, _ = asked(ClientSettings(api_root=silent.address, read_timeout=0.05, retry_count=2))
    with pytest.raises(ServerUnreachable, match="timed out"):
        server.request("GET", "/auth/how")
    with pytest.raises(ServerUnreachable, match="timed out"):
        server.call("sessions.list")
    assert len(silent.taken) == 6


def test_long_poll_is_waited_for_beyond_that_time(silent: Silent):
    server, _ = asked(ClientSettings(api_root=silent.address, read_timeout=0.05))
    seen: list[httpx.Request] = []
    server._client().event_hooks = {"request": [seen.append]}
    server.set_patience(False)
    with pytest.raises(ServerUnreachable):
        server._poll(1, 0.1)
    (request,) = seen
    assert request.extensions["timeout"]["read"] == pytest.approx(0.15)


def test_times_are_those_of_the_file_or_the_usual_ones():
    login = ClientSettings(api_root="http://127.0.0.1:9", connect_timeout=1.5, read_timeout=7)
    assert server_of(login)._client().timeout == httpx.Timeout(7, connect=1.5)
    assert Http("http://127.0.0.1:9")._client().timeout == httpx.Timeout(120, connect=6.2)
