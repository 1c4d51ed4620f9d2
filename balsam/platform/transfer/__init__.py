"""Ways of moving files: addresses, command lines and messages; nothing is run here."""

from balsam.platform.transfer.contract import (
    Answer,
    Batch,
    CommandLine,
    Desk,
    Endpoint,
    Move,
    Place,
    Placing,
    Transport,
)
from balsam.platform.transfer.places import parse_address, parse_location
from balsam.platform.transfer.registry import known_transports, load_transport

__all__ = [
    "Answer",
    "Batch",
    "CommandLine",
    "Desk",
    "Endpoint",
    "Move",
    "Place",
    "Placing",
    "Transport",
    "known_transports",
    "load_transport",
    "parse_address",
    "parse_location",
]
