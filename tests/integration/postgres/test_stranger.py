import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from balsam.postgres import ServerInfo, connection_params
from balsam.postgres.serverinfo import write_server_info

#: Codes of the first message of a client that asks for encryption.
# https://www.postgresql.org/docs/current/protocol-message-formats.html
ENCRYPTION_REQUESTS = (80877103, 80877104)
CLEARTEXT_PASSWORD_PLEASE = b"R" + struct.pack("!II", 8, 3)


class Stranger:
    """Somebody else's program that has taken a server's port and asks for the password in clear."""

    def __init__(self) -> None:
        self.heard = b""
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        client, _ = self._socket.accept()
        with client:
            client.settimeout(10)
            while struct.unpack("!I", self._hear(client)[4:8])[0] in ENCRYPTION_REQUESTS:
                client.sendall(b"N")
            client.sendall(CLEARTEXT_PASSWORD_PLEASE)
            self._hear(client)

    def _hear(self, client: socket.socket) -> bytes:
        message = client.recv(4096)
        self.heard += message
        return message

    def leave(self) -> None:
        self._thread.join(timeout=20)
        self._socket.close()


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    stranger = Stranger()
    yield stranger
    stranger.leave()


def test_stranger_who_took_the_port_is_not_told_the_password(stranger: Stranger, tmp_path: Path) -> None:
    write_server_info(tmp_path, ServerInfo("localhost", stranger.port, "alice", "s3cret-password"))
    with pytest.raises(psycopg2.OperationalError, match="scram-sha-256"):
        psycopg2.connect(**connection_params(tmp_path), connect_timeout=10)
    stranger.leave()
    assert b"alice" in stranger.heard
    assert b"s3cret-password" not in stranger.heard
