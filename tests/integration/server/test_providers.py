"""Signing in with a provider that the tests run: an account at the first login, and no forged identity."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from balsam.core.models import Account, Identity
from tests import http
from tests.integration.server.test_login_pages import guard_in
from tests.logins import Device, bearer, registered
from tests.openid import TestProvider
from tests.serving import served


@pytest.fixture
def provider() -> Iterator[TestProvider]:
    with TestProvider().running() as running:
        yield running


@pytest.fixture
def address(db: Path, provider: TestProvider) -> Iterator[str]:
    with served(db, provider.settings()) as found:
        yield found


def browser_at(address: str) -> httpx.Client:
    return httpx.Client(base_url=address, timeout=60, follow_redirects=True)


def sign_in(address: str, user_code: str = "") -> httpx.Response:
    with browser_at(address) as browser:
        return browser.get("/auth/oauth/login", params={"user_code": user_code})


def test_device_login_is_approved_by_who_signs_in_there(address: str):
    device = Device(address)
    with browser_at(address) as browser:
        page = browser.get(device.reply["verification_uri_complete"])
        assert "Sign in with Test Lab" in page.text
        page = browser.get("/auth/oauth/login", params={"user_code": device.user_code})
        assert page.url.path == "/auth/device" and "maria.curie" in page.text
        form = {"guard": guard_in(page), "user_code": device.user_code, "decision": "approve"}
        assert "Approved" in browser.post("/auth/device", data=form).text
    token = device.fetch().json()["access_token"]
    me = http.get(f"{address}/auth/password/me", headers=bearer(token)).json()
    assert me["username"] == "maria.curie"
    assert "maria.curie" in sign_in(address).text
    assert Account.objects.count() == Identity.objects.count() == 1


def test_name_of_another_account_is_not_taken_over(address: str, provider: TestProvider):
    registered(address, "maria.curie")
    assert "maria.curie-" in sign_in(address).text
    provider.person = {"sub": "person-2", "email": "b ö b@example.org"}
    assert "b---b@example.org" in sign_in(address).text
    assert Account.objects.count() == 3 and Identity.objects.count() == 2


def test_forged_answers_are_refused(address: str, provider: TestProvider):
    stranger = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    shared = provider.settings()["provider"]["client_secret"]

    def altering(**values: Any) -> None:
        provider.alter_claims, provider.sign = (lambda claims: claims.update(values)), provider.signed

    def signing(sign: Any) -> None:
        provider.alter_claims, provider.sign = (lambda claims: None), sign

    now = int(time.time())
    forgeries = [
        lambda: altering(nonce="other"),
        lambda: altering(aud="another program"),
        lambda: altering(aud=["balsam-tests", "other"], azp="other"),
        lambda: altering(iss="https://elsewhere.example.org"),
        lambda: altering(exp=now - 600),
        lambda: altering(sub=None),
        lambda: signing(lambda claims: jwt.encode(claims, stranger, "RS256", headers={"kid": "first"})),
        lambda: signing(lambda claims: jwt.encode(claims, stranger, "RS256", headers={"kid": "other"})),
        lambda: signing(lambda claims: jwt.encode(claims, "", "none", headers={"kid": "first"})),
        lambda: signing(lambda claims: jwt.encode(claims, shared * 3, "HS256", headers={"kid": "first"})),
        lambda: signing(lambda claims: "no.token"),
    ]
    for number, forge in enumerate(forgeries):
        forge()
        page = sign_in(address)
        assert page.status_code == 403 and "did not log you in" in page.text, number
    assert not Account.objects.exists()
    altering()
    assert "maria.curie" in sign_in(address).text


def test_login_of_another_browser_cannot_be_finished(address: str):
    with browser_at(address) as browser, browser_at(address) as victim:
        begun = browser.get("/auth/oauth/login", follow_redirects=False).headers["Location"]
        back = http.get(begun).headers["Location"]
        victim.get("/auth/sign-in")
        for url in (back, back.replace("state=", "state=x"), f"{address}/auth/oauth/callback"):
            page = victim.get(url)
            assert page.status_code == 403 and "not begun in this browser" in page.text
        assert "maria.curie" in browser.get(back).text
        denied = browser.get("/auth/oauth/login", follow_redirects=False).headers["Location"]
        state = httpx.URL(denied).params["state"]
        page = browser.get("/auth/oauth/callback", params={"state": state, "error": "access_denied"})
        assert page.status_code == 403 and "access_denied" in page.text


def test_provider_may_change_its_key(address: str, provider: TestProvider):
    assert "maria.curie" in sign_in(address).text
    provider.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    provider.key_id = "second"
    assert "maria.curie" in sign_in(address).text


def test_provider_that_does_not_answer_as_it_should_is_told(db: Path):
    with TestProvider().running() as provider, served(db, provider.settings()) as address:
        provider.about = lambda: {"issuer": "https://elsewhere.example.org"}  # type: ignore[method-assign]
        page = sign_in(address)
        assert page.status_code == 502 and "it says that it is" in page.text
    with served(db, provider.settings()) as address:
        page = sign_in(address)
        assert page.status_code == 502 and "does not answer as it should" in page.text


def test_server_without_a_provider_says_so(db: Path):
    with served(db) as address:
        assert sign_in(address).status_code == 404
