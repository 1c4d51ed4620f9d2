"""The head's end of the channel: a listening socket on an ephemeral port, and one link per worker.

A stranger who connects (a port scanner, the worker of another launch) learns a random number, is dropped
after a bounded time, and disturbs nobody.
"""

import asyncio
import contextlib
import logging
from types import TracebackType

from balsam.exceptions import ChannelError
from balsam.launcher.channel import (
    HANDSHAKE_FRAME_BYTES,
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

__all__ = ["WorkerLink", "WorkerListener"]

logger = logging.getLogger(__name__)

#: Peers that may be in the handshake at once; further ones are dropped.
MAX_STRANGERS = 512
_READ_BYTES = 1 << 18


class WorkerLink:
    """Messages to and from one worker that has proved itself."""

    def __init__(
        self,
        worker_id: int,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        buffer: FrameBuffer,
    ) -> None:
        #: The number the head gave the worker in its setup.
        self.worker_id = worker_id
        self._reader = reader
        self._writer = writer
        self._buffer = buffer

    async def receive(self) -> Message | None:
        """Wait for the next message; None when the worker is gone.

        Raises ChannelError when the worker sends what is no message: close the link then.
        """
        try:
            return await _next_message(self._reader, self._buffer)
        except (EOFError, OSError):
            return None

    def send(self, message: Message) -> None:
        """Queue a message; it leaves at once when the worker reads.

        Raises ChannelError when the message exceeds MAX_FRAME_BYTES. Messages to a worker that is gone
        are dropped: `receive` tells.
        """
        frame = encode_frame(message)
        if not self._writer.is_closing():
            self._writer.write(frame)

    async def drain(self) -> None:
        """Wait until the worker has taken most of what was sent."""
        with contextlib.suppress(OSError):  # it is gone: `receive` tells
            await self._writer.drain()

    def close(self) -> None:
        """Close at once; the worker kills what it runs and exits."""
        self._writer.close()


class WorkerListener:
    """Accepts the workers of one launch; an asynchronous context manager.

    ``async with WorkerListener(identity) as listener: link = await listener.accept()``
    """

    def __init__(
        self,
        identity: ChannelIdentity,
        interface: str = "127.0.0.1",
        *,
        handshake_sec: float = HANDSHAKE_SEC,
    ) -> None:
        self._identity = identity
        self._interface = interface
        self._handshake_sec = handshake_sec
        self._server: asyncio.Server | None = None
        self._strangers = 0
        self._links: asyncio.Queue[WorkerLink] = asyncio.Queue()
        #: Peers that were turned away.
        self.refused = 0

    async def __aenter__(self) -> "WorkerListener":
        try:
            self._server = await asyncio.start_server(self._greet, self._interface, 0)
        except OSError as error:
            raise ChannelError(
                f"Cannot listen for workers on {self._interface}: {error}. "
                "Give an address of this host that its compute nodes reach."
            ) from error
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()

    @property
    def address(self) -> tuple[str, int]:
        """Where workers are to connect: interface and port."""
        if self._server is None:
            raise ChannelError("The channel is not open. Enter it with `async with` first.")
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def accept(self) -> WorkerLink:
        """Wait for the next worker that proved itself."""
        return await self._links.get()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._strangers >= MAX_STRANGERS:
            self._turn_away(writer, "too many at once")
            return
        self._strangers += 1
        try:
            async with asyncio.timeout(self._handshake_sec):
                link = await self._prove(reader, writer)
        except (ChannelError, OSError, EOFError, TimeoutError) as error:
            self._turn_away(writer, str(error) or type(error).__name__)
        else:
            self._links.put_nowait(link)
        finally:
            self._strangers -= 1

    def _turn_away(self, writer: asyncio.StreamWriter, reason: str) -> None:
        self.refused += 1
        logger.warning("Turned away %s: %s", writer.get_extra_info("peername"), reason)
        writer.transport.abort()

    async def _prove(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> WorkerLink:
        tune_socket(writer.get_extra_info("socket"))
        buffer = FrameBuffer(HANDSHAKE_FRAME_BYTES)
        head_nonce = new_nonce()
        writer.write(encode_frame({"type": "challenge", "nonce": head_nonce}))
        message = await _next_message(reader, buffer)
        nonces = Nonces(head_nonce, text_field(message, "proof", "nonce"))
        worker_id = message.get("worker")
        if not isinstance(worker_id, int):
            raise ChannelError("The proof names no worker.")
        if not self._identity.accepts(text_field(message, "proof", "proof"), "worker", worker_id, nonces):
            raise ChannelError("It does not hold the secret of this launch for this database and session.")
        writer.write(
            encode_frame({"type": "welcome", "proof": self._identity.proof("head", worker_id, nonces)})
        )
        buffer.limit = MAX_FRAME_BYTES
        return WorkerLink(worker_id, reader, writer, buffer)


async def _next_message(reader: asyncio.StreamReader, buffer: FrameBuffer) -> Message:
    while (message := buffer.next_message()) is None:
        data = await reader.read(_READ_BYTES)
        if not data:
            raise EOFError("it closed the connection")
        buffer.feed(data)
    return message
