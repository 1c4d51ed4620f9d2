"""The pages on which a person signs in, sees which program asks for a login, and approves or denies it."""

from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from balsam.core import device_logins
from balsam.exceptions import LoginNeededError, NotFoundError, TooManyTriesError, UsageError
from balsam.schemas.accounts import SCOPES, AccountInfo, DeviceRequest
from balsam.server.connections import in_core
from balsam.server.errors import headers_of, status_of
from balsam.server.logins.browser import PAGES, Browser, PageRoute, redirect, show
from balsam.server.logins.device import PAGE
from balsam.server.logins.passwords import check_guess
from balsam.server.logins.requests import GUESSES, Form, Settings, address_of
from balsam.server.logins.settings import LoginSettings

__all__ = ["page_for", "router"]

SIGN_IN = "/auth/sign-in"
router = APIRouter(tags=["pages"], route_class=PageRoute, include_in_schema=False)


def page_for(path: str, user_code: str) -> str:
    """Return the address of a page, with the code that is being dealt with."""
    return f"{path}?{urlencode({'user_code': user_code})}" if user_code else path


@router.get("/auth/style.css")
def style() -> Response:
    """Return how the pages look."""
    return FileResponse(PAGES / "style.css", media_type="text/css")


@router.get("/auth/icon.svg")
def icon() -> Response:
    """Return the mark of the pages."""
    return FileResponse(PAGES / "icon.svg", media_type="image/svg+xml")


@router.get(SIGN_IN)
def sign_in_page(request: Request, settings: Settings, user_code: str = "") -> Response:
    """Ask who the person is."""
    browser = Browser(request)
    if browser.account() is not None:
        return redirect(browser, page_for(PAGE, user_code))
    return _sign_in(browser, settings, user_code)


@router.post(SIGN_IN)
def sign_in(request: Request, form: Form, settings: Settings) -> Response:
    """Check the password, and go on to the code."""
    browser, user_code = Browser(request), form.get("user_code", "")
    browser.check_form(form)
    if not settings.takes_passwords:
        raise UsageError("This server takes no passwords.")
    username = form.get("username", "")
    try:
        account = check_guess(request, username, form.get("password", ""))
    except (LoginNeededError, TooManyTriesError) as error:
        page = _sign_in(browser, settings, user_code, username, str(error), status_of(error))
        page.headers.update(headers_of(error) if isinstance(error, TooManyTriesError) else {})
        return page
    browser.log_in(account.id)
    return redirect(browser, page_for(PAGE, user_code))


@router.post("/auth/sign-out")
def sign_out(request: Request, form: Form) -> Response:
    """Log the browser out."""
    browser = Browser(request)
    browser.check_form(form)
    browser.log_out()
    return redirect(browser, page_for(SIGN_IN, form.get("user_code", "")))


@router.get(PAGE)
def device_page(request: Request, user_code: str = "") -> Response:
    """Ask for the code, or show what waits under it."""
    browser = Browser(request)
    account = browser.account()
    if account is None:
        return redirect(browser, page_for(SIGN_IN, user_code))
    if not user_code:
        return show(browser, "code.html", account=account, user_code="", problem="")
    try:
        asked = _waiting(request, account, user_code)
    except NotFoundError as error:
        values = {"account": account, "user_code": user_code[:20], "problem": str(error)}
        return show(browser, "code.html", 404, **values)
    scopes = [(scope, SCOPES[scope]) for scope in asked.scopes]
    return show(browser, "approve.html", account=account, asked=asked, scopes=scopes)


@router.post(PAGE)
def decide(request: Request, form: Form) -> Response:
    """Approve or deny what waits under a code."""
    browser = Browser(request)
    browser.check_form(form)
    account = browser.account()
    user_code, decision = form.get("user_code", ""), form.get("decision", "")
    if account is None:
        return redirect(browser, page_for(SIGN_IN, user_code))
    if decision not in ("approve", "deny"):
        raise UsageError("Approve or deny it.")
    asked = _waiting(request, account, user_code)
    is_approved = decision == "approve"
    in_core(lambda: device_logins.decide(account.id, user_code, approve=is_approved))
    return show(browser, "done.html", account=account, asked=asked, is_approved=is_approved)


def _waiting(request: Request, account: AccountInfo, user_code: str) -> DeviceRequest:
    """Return what waits under a code; raises NotFoundError, and TooManyTriesError after some of those."""
    keys = (f"code {account.id}", f"code {address_of(request)}")
    with GUESSES.guess(*keys):
        return in_core(lambda: device_logins.waiting(user_code))


def _sign_in(
    browser: Browser,
    settings: LoginSettings,
    user_code: str,
    username: str = "",
    problem: str = "",
    status: int = 200,
) -> Response:
    provider = settings.provider
    return show(
        browser,
        "sign_in.html",
        status,
        account=None,
        user_code=user_code[:20],
        username=username,
        problem=problem,
        takes_passwords=settings.takes_passwords,
        may_register=settings.registration,
        provider=provider.name if provider else "",
        provider_address=page_for("/auth/oauth/login", user_code[:20]),
    )
