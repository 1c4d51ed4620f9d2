"""Arguments and replies of operations as JSON, by the types in their table: both ends use this alone.

What arrives is checked against its type; a field that is not known, of another version, is left out.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import msgspec

from balsam.exceptions import UsageError
from balsam.schemas.operations import OPERATIONS, Signature

__all__ = ["decode_arguments", "decode_reply", "encode_arguments", "encode_reply"]


def encode_arguments(name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bytes:
    """Return the arguments of a call as a JSON object."""
    return msgspec.json.encode(OPERATIONS[name].named(args, kwargs))


def decode_arguments(name: str, body: bytes) -> dict[str, Any]:
    """Read the arguments of a call; raises UsageError for what is not of their types."""
    try:
        found = _arguments_decoder(name)(body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{name} cannot be done with what was sent: {error}.") from error
    return {argument[0]: getattr(found, argument[0]) for argument in OPERATIONS[name].arguments}


def encode_reply(value: Any) -> bytes:
    """Return a reply as JSON."""
    return msgspec.json.encode(value)


def decode_reply(name: str, body: bytes) -> Any:
    """Read a reply; raises ValueError for what is not of its type."""
    return _reply_decoder(name)(body)


@cache
def _arguments_decoder(name: str) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(_struct(name, OPERATIONS[name])).decode


@cache
def _reply_decoder(name: str) -> Callable[[bytes], Any]:
    return msgspec.json.Decoder(OPERATIONS[name].reply).decode


def _struct(name: str, signature: Signature) -> Any:
    return msgspec.defstruct(name.replace(".", "_"), signature.arguments, frozen=True)
