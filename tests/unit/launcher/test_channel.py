import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from balsam.exceptions import ChannelError
from balsam.launcher.channel import (
    HANDSHAKE_FRAME_BYTES,
    MAX_FRAME_BYTES,
    ChannelIdentity,
    FrameBuffer,
    Nonces,
    encode_frame,
    new_nonce,
    new_secret,
    text_field,
)

IDENTITY = ChannelIdentity("s3cret", "db-1", 7)
NONCES = Nonces("head-nonce", "worker-nonce")

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda values: st.lists(values) | st.dictionaries(st.text(), values),
    max_leaves=10,
)
messages = st.dictionaries(st.text(), json_values, max_size=5).map(lambda body: {**body, "type": "events"})


def taken(buffer: FrameBuffer) -> list[dict[str, Any]]:
    return list(iter(buffer.next_message, None))


@given(st.lists(messages, max_size=5), st.integers(1, 50))
def test_messages_arrive_whole_and_in_order_however_the_stream_is_cut(
    sent: list[dict[str, Any]], piece: int
) -> None:
    stream = b"".join(map(encode_frame, sent))
    buffer = FrameBuffer(MAX_FRAME_BYTES)
    got = []
    for start in range(0, len(stream), piece):
        buffer.feed(stream[start : start + piece])
        got += taken(buffer)
    assert got == sent


@given(st.binary(max_size=200))
def test_any_bytes_are_messages_or_a_channel_error_or_wait_for_more(noise: bytes) -> None:
    buffer = FrameBuffer()
    buffer.feed(noise)
    try:
        found = taken(buffer)
    except ChannelError:
        return
    assert all(isinstance(message["type"], str) for message in found)


def test_lone_surrogates_of_file_names_survive_the_wire() -> None:
    buffer = FrameBuffer()
    buffer.feed(encode_frame({"type": "x", "path": "caf\udce9"}))
    assert taken(buffer) == [{"type": "x", "path": "caf\udce9"}]


def test_a_stranger_cannot_announce_more_than_the_handshake_needs() -> None:
    buffer = FrameBuffer()
    buffer.feed(b"GET / HTTP/1.1\r\n")
    with pytest.raises(ChannelError, match=f"at most {HANDSHAKE_FRAME_BYTES}"):
        buffer.next_message()


@pytest.mark.parametrize("body", [b"[1]", b"{}", b'{"type": 3}', b"\xff\xfe", b"[" * 900, b""])
def test_a_body_that_is_no_message_is_refused(body: bytes) -> None:
    buffer = FrameBuffer()
    buffer.feed(struct.pack(">I", len(body)) + body)
    with pytest.raises(ChannelError, match="The peer sent"):
        buffer.next_message()


def test_a_message_beyond_the_limit_is_not_sent() -> None:
    with pytest.raises(ChannelError, match="Send it in parts"):
        encode_frame({"type": "run", "jobs": "x" * 100}, limit=100)


def test_a_field_of_another_message_or_type_is_refused() -> None:
    assert text_field({"type": "challenge", "nonce": "n"}, "challenge", "nonce") == "n"
    for wrong in (
        {"type": "welcome", "nonce": "n"},
        {"type": "challenge"},
        {"type": "challenge", "nonce": 1},
    ):
        with pytest.raises(ChannelError, match="Expected a challenge"):
            text_field(wrong, "challenge", "nonce")


def test_a_proof_holds_for_its_own_handshake() -> None:
    proof = IDENTITY.proof("worker", 3, NONCES)
    assert IDENTITY.accepts(proof, "worker", 3, NONCES)


@pytest.mark.parametrize(
    "other",
    [
        ChannelIdentity("other", "db-1", 7),
        ChannelIdentity("s3cret", "db-2", 7),
        ChannelIdentity("s3cret", "db-1", 8),
    ],
    ids=["other secret", "other database", "other session"],
)
def test_another_identity_does_not_accept_the_proof(other: ChannelIdentity) -> None:
    assert not other.accepts(IDENTITY.proof("worker", 3, NONCES), "worker", 3, NONCES)


def test_a_proof_cannot_be_reflected_replayed_or_used_for_another_worker() -> None:
    proof = IDENTITY.proof("worker", 3, NONCES)
    assert not IDENTITY.accepts(proof, "head", 3, NONCES)
    assert not IDENTITY.accepts(proof, "worker", 4, NONCES)
    assert not IDENTITY.accepts(proof, "worker", 3, Nonces(new_nonce(), NONCES.worker))


def test_a_proof_that_is_no_ascii_is_refused_without_an_error() -> None:
    assert not IDENTITY.accepts("\udce9é", "worker", 3, NONCES)


def test_the_secret_is_random_and_not_shown() -> None:
    secret = new_secret()
    assert len(secret) == 64 and secret != new_secret()
    assert secret not in repr(ChannelIdentity(secret, "db-1", 7))
