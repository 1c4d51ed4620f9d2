"""Device codes over HTTP, as RFC 8628 has them; the person's part is in test_login_pages."""

import uuid
from datetime import timedelta

from django.db.models.functions import Now

from balsam.core import device_logins
from balsam.core.models import Account, DeviceLogin
from tests import http
from tests.logins import Device, bearer, registered


def answer(device: Device, *, approve: bool) -> None:
    """Answer as the page does."""
    device_logins.decide(Account.objects.get().pk, device.user_code, approve=approve)


def not_too_early() -> None:
    DeviceLogin.objects.update(polled=Now() - timedelta(seconds=60))


def test_approved_login_is_fetched_once(address: str):
    registered(address)
    device = Device(address, scope="submit read")
    assert set(device.reply) == {
        *("device_code", "user_code", "verification_uri", "verification_uri_complete"),
        *("expires_in", "interval"),
    }
    assert device.reply["verification_uri"] == f"{address}/auth/device"
    assert device.reply["verification_uri_complete"].endswith(f"?user_code={device.user_code}")
    assert (device.reply["expires_in"], device.reply["interval"]) == (300, 3)
    waiting = device.fetch()
    assert (waiting.status_code, waiting.json()["error"]) == (400, "authorization_pending")
    answer(device, approve=True)
    not_too_early()
    reply = device.fetch().raise_for_status().json()
    assert reply["scope"] == "read submit" and reply["refresh_token"]
    assert http.get(f"{address}/jobs/", headers=bearer(reply["access_token"])).status_code == 200
    assert device.fetch().json()["error"] == "invalid_grant"


def test_denied_login_is_told_once(address: str):
    registered(address)
    device = Device(address)
    answer(device, approve=False)
    denied = device.fetch()
    assert (denied.status_code, denied.json()["error"]) == (403, "access_denied")
    assert device.fetch().json()["error"] == "invalid_grant"


def test_who_asks_too_early_is_slowed_down(address: str):
    device = Device(address)
    assert device.fetch().json()["error"] == "authorization_pending"
    assert device.fetch().json()["error"] == "slow_down"
    assert DeviceLogin.objects.get().interval_sec == 8
    not_too_early()
    assert device.fetch().json()["error"] == "authorization_pending"


def test_code_expires(address: str):
    registered(address)
    device = Device(address)
    answer(device, approve=True)
    DeviceLogin.objects.update(expires=Now() - timedelta(seconds=1))
    expired = device.fetch()
    assert (expired.status_code, expired.json()["error"]) == (400, "expired_token")


def test_codes_are_of_twenty_letters_and_kept_as_digests(address: str):
    codes = {Device(address).user_code for _ in range(5)}
    assert len(codes) == 5
    assert all(len(code) == 9 and set(code) <= {*"BCDFGHJKLMNPQRSTVWXZ-"} for code in codes)
    device = Device(address)
    assert not DeviceLogin.objects.filter(digest=device.reply["device_code"]).exists()


def test_wrong_words_are_refused(address: str):
    device = Device(address)
    wrong = [
        ({"client_id": str(uuid.uuid4())}, "invalid_client"),
        ({"device_code": "balsam_device_x"}, "invalid_grant"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ]
    for changed, error in wrong:
        refused = device.fetch(**changed)
        assert (refused.status_code, refused.json()["error"]) == (400, error)


def test_request_needs_a_uuid_and_scopes_that_are_there(address: str):
    url = f"{address}/auth/device/login"
    assert http.post(url, data={"client_id": "me"}).json()["error"] == "invalid_client"
    wrong = http.post(url, data={"client_id": str(uuid.uuid4()), "scope": "root"})
    assert wrong.status_code == 400 and "no scope root" in wrong.json()["detail"]
    assert http.post(url, content=b"\xff", headers={"Content-Type": "x"}).status_code == 400
    assert http.post(url, content=b"a=" + b"b" * 20_000).status_code == 400


def test_code_is_found_however_it_is_typed(address: str):
    registered(address)
    device = Device(address)
    typed = device.user_code.replace("-", " ").lower()
    assert device_logins.waiting(typed).user_code == device.user_code
