"""Put the routes of logins into an application, as the settings of its database say."""

import logging
from importlib.util import find_spec

from fastapi import FastAPI

from balsam.core.active import active_db_path
from balsam.exceptions import ConfigError
from balsam.server.logins import approval, device, oauth, passwords, tokens
from balsam.server.logins.provider import OpenIdProvider
from balsam.server.logins.settings import Provider, read_settings

__all__ = ["install"]


def install(app: FastAPI) -> None:
    """Add the routes; raises ConfigError for settings that cannot be."""
    app.state.login_settings = settings = read_settings(active_db_path())
    app.state.openid_provider = _opened(settings.provider) if settings.provider else None
    for router in (tokens.router, passwords.router, device.router, approval.router, oauth.router):
        app.include_router(router)
    logging.getLogger("uvicorn.access").addFilter(_without_codes)


def _opened(provider: Provider) -> OpenIdProvider:
    if not find_spec("jwt") or not find_spec("cryptography"):
        raise ConfigError("A provider of logins needs more: type `pip install 'balsam[oidc]'`.")
    return OpenIdProvider(provider)


def _without_codes(record: logging.LogRecord) -> bool:
    """Keep codes of logins, which are in the addresses of pages, out of the log of requests."""
    if isinstance(record.args, tuple):
        record.args = tuple(
            arg.partition("?")[0] if isinstance(arg, str) and arg.startswith("/auth/") else arg
            for arg in record.args
        )
    return True
