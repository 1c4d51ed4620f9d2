"""Frames and mutual proof of the channel between the head of a launcher and its workers.

Neither end reads a message before the other has shown that it holds this launch's secret, for the same
database and session. `head_channel` is the listening end, `worker_channel` the connecting one.
"""

import hmac
import json
import secrets
import socket
import struct
from dataclasses import dataclass, field
from typing import Any, Literal

from balsam.exceptions import ChannelError

__all__ = [
    "HANDSHAKE_FRAME_BYTES",
    "HANDSHAKE_SEC",
    "MAX_FRAME_BYTES",
    "ChannelIdentity",
    "FrameBuffer",
    "Message",
    "Nonces",
    "encode_frame",
    "new_nonce",
    "new_secret",
    "text_field",
    "tune_socket",
]

Message = dict[str, Any]
Role = Literal["head", "worker"]

PROTOCOL = "balsam-launcher-1"
#: No message is larger; senders split batches well below this.
MAX_FRAME_BYTES = 16 << 20
#: What a peer that has proved nothing may make the other end hold in memory.
HANDSHAKE_FRAME_BYTES = 1024
#: How long a peer may take to prove itself.
HANDSHAKE_SEC = 10.0

_HEADER = struct.Struct(">I")
#: A vanished host is noticed after idle + interval * count seconds.
_KEEPALIVE = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))


def new_secret() -> str:
    """Make the secret of one launch."""
    return secrets.token_hex(32)


def new_nonce() -> str:
    """Make the number one end uses for one handshake."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Nonces:
    """The random numbers both ends gave for one handshake."""

    head: str
    worker: str


@dataclass(frozen=True, slots=True)
class ChannelIdentity:
    """What both ends must share: the secret of the launch, the database and the session."""

    secret: str = field(repr=False)
    instance_id: str
    session_id: int

    def proof(self, role: Role, worker_id: int, nonces: Nonces) -> str:
        """Prove, as ``role``, that one holds the secret; worth nothing in any other handshake."""
        claim = [PROTOCOL, role, self.instance_id, self.session_id, worker_id, nonces.head, nonces.worker]
        return hmac.new(self.secret.encode(), json.dumps(claim).encode(), "sha256").hexdigest()

    def accepts(self, proof: str, role: Role, worker_id: int, nonces: Nonces) -> bool:
        """Say whether ``proof`` is that of a peer with the same identity, in constant time."""
        return hmac.compare_digest(
            proof.encode(errors="replace"), self.proof(role, worker_id, nonces).encode()
        )


def encode_frame(message: Message, *, limit: int = MAX_FRAME_BYTES) -> bytes:
    """Turn a message into bytes for the wire; raises ChannelError when it exceeds ``limit`` bytes."""
    body = json.dumps(message, separators=(",", ":")).encode()
    if len(body) > limit:
        raise ChannelError(
            f"A {message.get('type')} message of {len(body)} bytes cannot be sent: "
            f"the launcher's channel carries at most {limit} bytes at once. Send it in parts."
        )
    return _HEADER.pack(len(body)) + body


class FrameBuffer:
    """Cut a stream of bytes into messages.

    ``limit`` bounds one message and so the memory a peer can take; raise it when the peer is known.
    """

    def __init__(self, limit: int = HANDSHAKE_FRAME_BYTES) -> None:
        self.limit = limit
        self._bytes = bytearray()

    def feed(self, data: bytes) -> None:
        """Add bytes that arrived."""
        self._bytes += data

    def next_message(self) -> Message | None:
        """Take the next whole message, or None; raises ChannelError when the bytes are no message."""
        if len(self._bytes) < _HEADER.size:
            return None
        (size,) = _HEADER.unpack_from(self._bytes)
        if size > self.limit:
            raise ChannelError(
                f"The peer announced a message of {size} bytes; at most {self.limit} are read."
            )
        end = _HEADER.size + size
        if len(self._bytes) < end:
            return None
        body = bytes(self._bytes[_HEADER.size : end])
        del self._bytes[:end]
        return _decode(body)


def _decode(body: bytes) -> Message:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ChannelError(f"The peer sent {body[:40]!r}, which is not JSON.") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise ChannelError(f"The peer sent {body[:40]!r}, which is no message with a type.")
    return message


def text_field(message: Message, kind: str, name: str) -> str:
    """Take a text out of a handshake message of type ``kind``; raises ChannelError if it is not there."""
    value = message.get(name)
    if message["type"] != kind or not isinstance(value, str):
        raise ChannelError(f"Expected a {kind} with its {name}, got a {message['type']!r} message.")
    return value


def tune_socket(sock: socket.socket) -> None:
    """Send small messages at once, and notice a peer whose host vanished."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):  # macOS lacks some
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
