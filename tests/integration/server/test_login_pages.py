"""The pages on which a login is approved: who may send their forms, and what a browser is told to keep."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from balsam.core.models import DeviceLogin, Login
from tests import http
from tests.logins import Device, registered
from tests.serving import PASSWORD, served


def guard_in(page: httpx.Response) -> str:
    """The hidden field that only this browser knows."""
    found = re.search(r'name="guard" value="(\w+)"', page.text)
    assert found is not None, page.text
    return found[1]


@contextmanager
def signed_in(address: str) -> Iterator[httpx.Client]:
    """A browser in which maria has signed in."""
    with httpx.Client(base_url=address, timeout=60, follow_redirects=True) as browser:
        form = {"guard": guard_in(browser.get("/auth/sign-in")), "username": "maria", "password": PASSWORD}
        assert "Type the code" in browser.post("/auth/sign-in", data=form).text
        yield browser


def test_person_signs_in_sees_what_asks_and_approves(address: str):
    registered(address)
    device = Device(address, scope="read")
    with httpx.Client(base_url=address, timeout=60, follow_redirects=True) as browser:
        page = browser.get(device.reply["verification_uri_complete"])
        assert page.url.path == "/auth/sign-in" and device.user_code in page.text
        form = {"guard": guard_in(page), "user_code": device.user_code, "username": "maria"}
        wrong = browser.post("/auth/sign-in", data={**form, "password": "wrong"})
        assert (
            wrong.status_code == 401 and "password is wrong" in wrong.text and 'value="maria"' in wrong.text
        )
        page = browser.post("/auth/sign-in", data={**form, "password": PASSWORD})
        assert "python-httpx" in page.text and "127.0.0.1" in page.text and device.user_code in page.text
        assert ">read<" in page.text and ">admin<" not in page.text
        form = {"guard": guard_in(page), "user_code": device.user_code, "decision": "approve"}
        assert "Approved" in browser.post("/auth/device", data=form).text
        again = browser.post("/auth/device", data=form)
        assert again.status_code == 404 and "No login waits" in again.text
    assert device.fetch().json()["scope"] == "read"


def test_person_types_the_code_and_denies(address: str):
    registered(address)
    device = Device(address)
    with signed_in(address) as browser:
        unknown = browser.get("/auth/device", params={"user_code": "BBBB-<b>"})
        assert unknown.status_code == 404 and "&lt;b&gt;" in unknown.text
        page = browser.get("/auth/device", params={"user_code": device.user_code.lower()})
        form = {"guard": guard_in(page), "user_code": device.user_code, "decision": "deny"}
        assert "was not let in" in browser.post("/auth/device", data=form).text
    assert device.fetch().json()["error"] == "access_denied"


def test_forms_of_other_pages_are_refused(address: str):
    registered(address)
    device = Device(address)
    with signed_in(address) as browser, signed_in(address) as other:
        page = browser.get("/auth/device", params={"user_code": device.user_code})
        good = {"guard": guard_in(page), "user_code": device.user_code, "decision": "approve"}
        foreign = guard_in(other.get("/auth/device", params={"user_code": device.user_code}))
        for guard in ("", foreign, good["guard"][:-1]):
            for path in ("/auth/device", "/auth/sign-in", "/auth/sign-out"):
                refused = browser.post(path, data={**good, "guard": guard})
                assert refused.status_code == 403 and "was not sent from its page" in refused.text
        headers = {"Sec-Fetch-Site": "cross-site"}
        assert browser.post("/auth/device", data=good, headers=headers).status_code == 403
        assert browser.post("/auth/device", data={**good, "decision": "maybe"}).status_code == 400
    with httpx.Client(base_url=address, timeout=60) as stranger:
        answer = stranger.post("/auth/device", data={"user_code": device.user_code, "decision": "approve"})
        assert answer.status_code == 403
    assert DeviceLogin.objects.get().is_approved is None


def test_signing_out_ends_the_login_of_the_browser(address: str):
    registered(address)
    with signed_in(address) as browser:
        cookie = browser.cookies["balsam_browser"]
        assert http.get(f"{address}/jobs/", headers={"Authorization": f"Bearer {cookie}"}).status_code == 401
        page = browser.post("/auth/sign-out", data={"guard": guard_in(browser.get("/auth/device"))})
        assert page.url.path == "/auth/sign-in"
        browser.cookies.set("balsam_browser", cookie)
        assert browser.get("/auth/device").url.path == "/auth/sign-in"
    assert not Login.objects.exists()


def test_guessing_codes_is_held_back(fresh_address: str):
    address = fresh_address
    registered(address)
    device = Device(address)
    with signed_in(address) as browser:
        codes = [
            browser.get("/auth/device", params={"user_code": f"BBBB-BB{a}{b}"}).status_code
            for a, b in ["BB", "BC", "BD", "BF", "BG", "BH", "BJ", "BK", "BL", "BM", "BN"]
        ]
        assert codes == [404] * 10 + [429]
        held_back = browser.get("/auth/device", params={"user_code": device.user_code})
        assert held_back.status_code == 429 and int(held_back.headers["Retry-After"]) > 0


def test_browsers_are_told_to_run_and_embed_nothing(address: str):
    with httpx.Client(base_url=address, timeout=60) as browser:
        page = browser.get("/auth/sign-in")
        policy = page.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "script" not in page.text and "http" not in page.text.replace("http-equiv", "")
        cookie = page.headers["Set-Cookie"]
        assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Secure" not in cookie
        for name in ("style.css", "icon.svg"):
            assert browser.get(f"/auth/{name}").status_code == 200


def test_cookie_is_for_https_alone_where_that_is_how_the_server_is_reached(db: Path):
    with served(db, {"public_url": "https://balsam.example.org"}) as address:
        cookie = http.get(f"{address}/auth/sign-in").headers["Set-Cookie"]
        assert cookie.startswith("__Host-balsam_browser=") and "Secure" in cookie and "Path=/" in cookie
