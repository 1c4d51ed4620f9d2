"""The two ends of the channel with each other and with strangers, over real sockets."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from balsam.exceptions import ChannelError
from balsam.launcher import head_channel
from balsam.launcher.channel import ChannelIdentity, Message, encode_frame
from balsam.launcher.head_channel import WorkerLink, WorkerListener
from balsam.launcher.worker_channel import WorkerChannel

IDENTITY = ChannelIdentity("s3cret", "db-1", 7)

Ends = Callable[[WorkerListener], Awaitable[None]]


def with_listener(ends: Ends, *, handshake_sec: float = 10.0) -> None:
    async def run() -> None:
        async with WorkerListener(IDENTITY, handshake_sec=handshake_sec) as listener:
            async with asyncio.timeout(30):
                await ends(listener)

    asyncio.run(run())


async def connect(
    listener: WorkerListener, identity: ChannelIdentity = IDENTITY, worker_id: int = 0
) -> WorkerChannel:
    return await asyncio.to_thread(
        WorkerChannel.connect, listener.address, identity, worker_id, timeout_sec=10
    )


async def connected(listener: WorkerListener, worker_id: int = 0) -> tuple[WorkerLink, WorkerChannel]:
    channel = await connect(listener, worker_id=worker_id)
    return await listener.accept(), channel


async def received(channel: WorkerChannel) -> list[Message]:
    while not (messages := channel.receive()) and not channel.is_closed:
        await asyncio.sleep(0.001)
    return messages


async def refusal(listener: WorkerListener, count: int = 1) -> None:
    while listener.refused < count:
        await asyncio.sleep(0.001)


def test_messages_pass_both_ways_after_the_handshake() -> None:
    async def ends(listener: WorkerListener) -> None:
        link, channel = await connected(listener, worker_id=5)
        assert link.worker_id == 5
        link.send({"type": "run", "jobs": ["é", 1]})
        assert await received(channel) == [{"type": "run", "jobs": ["é", 1]}]
        channel.send({"type": "events", "queued": 1})
        assert await link.receive() == {"type": "events", "queued": 1}
        channel.close()
        assert await link.receive() is None
        link.send({"type": "kill", "job_ids": []})
        link.close()

    with_listener(ends)


def test_a_worker_of_another_launch_database_or_session_is_refused() -> None:
    async def ends(listener: WorkerListener) -> None:
        for other in (
            replace(IDENTITY, secret="guess"),
            replace(IDENTITY, instance_id="db-2"),
            replace(IDENTITY, session_id=8),
        ):
            with pytest.raises(ChannelError, match="not the head of this launch"):
                await connect(listener, other)
        assert listener.refused == 3
        link, channel = await connected(listener)
        channel.close()
        link.close()

    with_listener(ends)


def test_a_head_without_the_secret_is_refused_by_the_worker() -> None:
    async def false_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(encode_frame({"type": "challenge", "nonce": "n"}))
        await reader.read(1)
        writer.write(encode_frame({"type": "welcome", "proof": "0" * 64}))
        writer.write(encode_frame({"type": "run", "jobs": []}))

    async def run() -> None:
        server = await asyncio.start_server(false_head, "127.0.0.1", 0)
        with pytest.raises(ChannelError, match="does not hold the secret"):
            await asyncio.to_thread(
                WorkerChannel.connect, server.sockets[0].getsockname(), IDENTITY, 0, timeout_sec=10
            )
        server.close()

    asyncio.run(run())


def test_a_worker_says_what_is_wrong_when_nobody_listens() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = unused.getsockname()
        with pytest.raises(ChannelError, match=rf"port {address[1]}: .*refused"):
            WorkerChannel.connect(address, IDENTITY, 0)


def test_a_port_scanner_disturbs_nobody() -> None:
    async def ends(listener: WorkerListener) -> None:
        silent = [await asyncio.open_connection(*listener.address) for _ in range(5)]
        _, browser = await asyncio.open_connection(*listener.address)
        browser.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        _, hasty = await asyncio.open_connection(*listener.address)
        hasty.close()
        link, channel = await connected(listener)
        channel.send({"type": "events"})
        assert await link.receive() == {"type": "events"}
        await refusal(listener, 2)
        for _, writer in [*silent, (None, browser)]:
            writer.close()
        channel.close()
        link.close()

    with_listener(ends)


def test_a_peer_that_never_proves_itself_is_dropped_in_time() -> None:
    async def ends(listener: WorkerListener) -> None:
        reader, writer = await asyncio.open_connection(*listener.address)
        await refusal(listener)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1000)
        writer.close()

    with_listener(ends, handshake_sec=0.05)


def test_strangers_cannot_exhaust_the_head(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_channel, "MAX_STRANGERS", 2)

    async def ends(listener: WorkerListener) -> None:
        writers = [(await asyncio.open_connection(*listener.address))[1] for _ in range(3)]
        await refusal(listener)
        writers[0].close()
        await refusal(listener, 2)
        link, channel = await connected(listener)
        for writer in writers:
            writer.close()
        channel.close()
        link.close()

    with_listener(ends)


def test_a_head_that_does_not_read_does_not_block_the_worker() -> None:
    async def ends(listener: WorkerListener) -> None:
        link, channel = await connected(listener)
        text = "x" * 1_000_000
        for _ in range(20):
            channel.send({"type": "events", "text": text})
        assert channel.has_unsent
        for _ in range(20):
            channel.flush()
            message = asyncio.ensure_future(link.receive())
            while not message.done():
                channel.flush()
                await asyncio.sleep(0)
            assert message.result() == {"type": "events", "text": text}
        assert not channel.has_unsent
        link.close()
        assert await received(channel) == []
        assert channel.is_closed
        channel.send({"type": "events"})
        channel.close()

    with_listener(ends)


def test_noise_after_the_handshake_is_an_error_of_that_link() -> None:
    async def ends(listener: WorkerListener) -> None:
        link, channel = await connected(listener)
        channel._sock.sendall(b"\0\0\0\2[]")
        with pytest.raises(ChannelError, match="no message"):
            await link.receive()
        link.close()
        channel.close()

    with_listener(ends)


def test_listening_on_a_foreign_address_is_refused_with_the_reason() -> None:
    async def run() -> None:
        async with WorkerListener(IDENTITY, "192.0.2.1"):
            raise AssertionError("it listens")

    with pytest.raises(ChannelError, match=r"Cannot listen for workers on 192\.0\.2\.1"):
        asyncio.run(run())
