"""The worker's end of the channel: a socket that never blocks once the head is known.

A head that reads slowly delays what is sent, never the reaping of jobs.
"""

import contextlib
import socket

from balsam.exceptions import ChannelError
from balsam.launcher.channel import (
    HANDSHAKE_SEC,
    MAX_FRAME_BYTES,
    ChannelIdentity,
    FrameBuffer,
    Message,
    Nonces,
    encode_frame,
    new_nonce,
    text_field,
    tune_socket,
)

__all__ = ["WorkerChannel"]

_READ_BYTES = 1 << 18


class WorkerChannel:
    """Messages to and from the head; made by :meth:`connect`."""

    def __init__(self, sock: socket.socket, buffer: FrameBuffer) -> None:
        self._sock = sock
        self._buffer = buffer
        self._unsent = bytearray()
        #: The head is gone: nothing more will come, and what is sent is dropped.
        self.is_closed = False
        sock.setblocking(False)

    @classmethod
    def connect(
        cls,
        address: tuple[str, int],
        identity: ChannelIdentity,
        worker_id: int,
        *,
        timeout_sec: float = HANDSHAKE_SEC,
    ) -> "WorkerChannel":
        """Connect to the head and let both ends prove themselves; raises ChannelError if that fails."""
        try:
            sock = socket.create_connection(address, timeout=timeout_sec)
            with contextlib.ExitStack() as on_failure:
                on_failure.callback(sock.close)
                tune_socket(sock)
                buffer = FrameBuffer()
                _prove(sock, buffer, identity, worker_id)
                on_failure.pop_all()
        except (OSError, ChannelError) as error:
            raise ChannelError(
                f"No channel to the launcher's head at {address[0]} port {address[1]}: {error} "
                "Look at the launcher's log; a worker is only started by `balsam launcher`."
            ) from error
        buffer.limit = MAX_FRAME_BYTES
        return cls(sock, buffer)

    def fileno(self) -> int:
        """File descriptor, for a selector."""
        return self._sock.fileno()

    @property
    def has_unsent(self) -> bool:
        """The head has not taken everything yet: call :meth:`flush` when the socket is writable."""
        return bool(self._unsent)

    def receive(self) -> list[Message]:
        """Read what has arrived, without waiting; sets ``is_closed`` at the end of the stream.

        Raises ChannelError when the head sends what is no message.
        """
        try:
            while not self.is_closed:
                data = self._sock.recv(_READ_BYTES)
                self.is_closed = not data
                self._buffer.feed(data)
                if len(data) < _READ_BYTES:
                    break
        except BlockingIOError:
            pass  # everything was read
        except OSError:
            self.is_closed = True
        return list(iter(self._buffer.next_message, None))

    def send(self, message: Message) -> None:
        """Send now, or as soon as the head reads; never waits."""
        self._unsent += encode_frame(message)
        self.flush()

    def flush(self) -> None:
        """Send what the head takes without waiting."""
        try:
            while self._unsent and not self.is_closed:
                del self._unsent[: self._sock.send(self._unsent)]
        except BlockingIOError:
            return
        except OSError:
            self.is_closed = True
        if self.is_closed:
            self._unsent.clear()

    def abandon(self) -> None:
        """Treat the head as gone: it does not keep to the protocol."""
        self.is_closed = True
        self._unsent.clear()

    def close(self, *, timeout_sec: float = 5.0) -> None:
        """Send what is left, for at most ``timeout_sec``, and close."""
        with contextlib.suppress(OSError):  # the head is gone: there is nobody to tell
            self._sock.settimeout(timeout_sec)
            self._sock.sendall(self._unsent)
        self._sock.close()
        self.is_closed = True


def _prove(sock: socket.socket, buffer: FrameBuffer, identity: ChannelIdentity, worker_id: int) -> None:
    head_nonce = text_field(_next_message(sock, buffer), "challenge", "nonce")
    nonces = Nonces(head_nonce, new_nonce())
    proof = identity.proof("worker", worker_id, nonces)
    sock.sendall(encode_frame({"type": "proof", "worker": worker_id, "nonce": nonces.worker, "proof": proof}))
    answer = text_field(_next_message(sock, buffer), "welcome", "proof")
    if not identity.accepts(answer, "head", worker_id, nonces):
        raise ChannelError("It does not hold the secret of this launch for this database and session.")


def _next_message(sock: socket.socket, buffer: FrameBuffer) -> Message:
    while (message := buffer.next_message()) is None:
        data = sock.recv(4096)
        if not data:
            raise ChannelError("It closed the connection: it is not the head of this launch.")
        buffer.feed(data)
    return message
