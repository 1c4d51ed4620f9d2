"""The options that say how a database is served; each is a key of server.yml, too."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

__all__ = ["chosen", "settings_options"]

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS = (
    click.option("--host", help="Interface to listen on. Default: 127.0.0.1."),
    click.option("--port", type=click.IntRange(0, 65535), help="Port; 0: any. Default: 8000."),
    click.option("--certificate", metavar="FILE", help="Certificate for https, as a PEM file."),
    click.option("--key", metavar="FILE", help="Its key."),
    click.option("--self-signed", is_flag=True, default=None, help="https, with a certificate made here."),
    click.option("--insecure", is_flag=True, default=None, help="Plain http, though others may listen."),
    click.option("--name", "names", multiple=True, help="Another name that clients call this host by."),
    click.option(
        "--trusted-proxy",
        "trusted_proxies",
        multiple=True,
        metavar="ADDRESS",
        help="Proxy that may say where a request comes from.",
    ),
    click.option(
        "--log/--no-log", "log_requests", default=None, help="Log each request. Default: yes.",
    ),
)  # fmt: skip


def settings_options(function: F) -> F:
    """Add them all."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def chosen(given: dict[str, Any]) -> dict[str, Any]:
    """Return those that were given, by the names of settings; files by their full paths."""
    from pathlib import Path

    values = {name: value for name, value in given.items() if value is not None and value != ()}
    for name in ("certificate", "key"):
        if name in values:
            values[name] = str(Path(values[name]).expanduser().absolute())
    if "certificate" in values:
        values.setdefault("self_signed", False)
    if values.get("self_signed"):
        values = {"certificate": "", "key": "", **values}
    return values
