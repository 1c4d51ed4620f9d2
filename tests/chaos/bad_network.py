"""A proxy that loses requests, loses replies, and answers 500 and 503 for a server that has done its work."""

import asyncio
import random
import threading
from collections import Counter
from typing import Self

_FAULTS = ("request lost", "500 before", "503 before", "reply lost", "500 after", "reply cut")


class BadNetwork:
    """Between clients and a server on this host: every request meets one of the faults with ``odds``.

    Use it as a context; ``address`` is what clients are given. ``met`` counts what happened.
    """

    def __init__(self, address: str, *, odds: float, seed: int) -> None:
        self._host, port = address.removeprefix("http://").split(":")
        self._port = int(port)
        self._odds = odds
        self._random = random.Random(seed)
        self.met: Counter[str] = Counter()
        self.address = ""

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(ready)), daemon=True)
        self._thread.start()
        assert ready.wait(30)
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(30)

    def calm(self) -> None:
        """Have no more faults."""
        self._odds = 0.0

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stopped = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._meet, "127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await self._stopped.wait()
        server.close()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry the requests of one connection, until one of them meets a fault."""
        try:
            while (request := await _read_message(reader)) and await self._carry(request, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            self.met["connection broken"] += 1
        finally:
            writer.close()

    async def _carry(self, request: bytes, writer: asyncio.StreamWriter) -> bool:
        """Carry one request; return whether the connection goes on."""
        fault = self._random.choice(_FAULTS) if self._random.random() < self._odds else "none"
        if request.startswith(b"GET /notices"):
            fault = "none" if fault in ("reply lost", "500 after") else fault
        self.met[fault] += 1
        if fault == "request lost":
            return False
        reply = _refusal(fault[:3]) if fault.endswith("before") else await self._answer(request)
        if fault == "reply lost":
            return False
        if fault == "500 after":
            reply = _refusal("500")
        writer.write(reply[: len(reply) // 2] if fault == "reply cut" else reply)
        await writer.drain()
        return fault != "reply cut"

    async def _answer(self, request: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        try:
            writer.write(request)
            await writer.drain()
            return await _read_message(reader)
        finally:
            writer.close()


async def _read_message(reader: asyncio.StreamReader) -> bytes:
    """Read one request or reply of HTTP; b'' at the end of the connection."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if error.partial:
            raise
        return b""
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    return head + (await reader.readexactly(length) if length else b"")


def _refusal(status: str) -> bytes:
    body = b"The proxy was told to fail."
    return b"HTTP/1.1 %s Bad\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body)
