"""Accounts and logins, for tests: made and asked for as programs do."""

import os
import uuid
from pathlib import Path
from typing import Any

import httpx

from tests import http
from tests.serving import PASSWORD

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def registered(address: str, username: str = "maria") -> str:
    """Make an account; return its name."""
    body = {"username": username, "password": PASSWORD}
    assert http.post(f"{address}/auth/password/register", json=body).status_code == 201
    return username


def logged_in(address: str, username: str = "maria", password: str = PASSWORD) -> dict[str, Any]:
    """Log in with the password; return the server's reply."""
    form = {"username": username, "password": password}
    reply: dict[str, Any] = http.post(f"{address}/auth/password/login", data=form).raise_for_status().json()
    return reply


def renewed(address: str, refresh_token: str) -> httpx.Response:
    """Exchange a refresh token."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
    return http.post(f"{address}/auth/token", data=form)


def bearer(token: str) -> dict[str, str]:
    """Headers of a request with a token."""
    return {"Authorization": f"Bearer {token}"}


class Device:
    """A program that asks for a login."""

    def __init__(self, address: str, **form: str) -> None:
        self.address = address
        self.client_id = str(uuid.uuid4())
        asked = http.post(f"{address}/auth/device/login", data={"client_id": self.client_id, **form})
        self.reply: dict[str, Any] = asked.raise_for_status().json()

    @property
    def user_code(self) -> str:
        """What the person types."""
        return str(self.reply["user_code"])

    def fetch(self, **changed: str) -> httpx.Response:
        """Ask for the login."""
        form = {
            "grant_type": DEVICE_GRANT,
            "device_code": self.reply["device_code"],
            "client_id": self.client_id,
        }
        return http.post(f"{self.address}/auth/device/token", data={**form, **changed})


def client_file_env(directory: Path) -> dict[str, str]:
    """Variables under which commands keep their login in a directory."""
    return {"BALSAM_CLIENT_PATH": str(directory / "client.yml"), "BALSAM_HOME": os.environ["HOME"]}
