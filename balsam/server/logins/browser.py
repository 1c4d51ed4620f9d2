"""A browser that is, or is not yet, logged in: its cookie, what guards its forms, and the pages it is shown.

The cookie holds a random text that no script can read. Whatever only this browser may send back is derived
from it, so nothing is kept of browsers without a login; with the login the text is another.
"""

import hashlib
import hmac
import re
from collections.abc import Callable, Coroutine
from functools import lru_cache
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from markupsafe import Markup, escape

from balsam.core import logins
from balsam.exceptions import BalsamError, NotAllowedError
from balsam.schemas.accounts import AccountInfo
from balsam.server.connections import in_core
from balsam.server.errors import headers_of, status_of
from balsam.server.logins.requests import base_url, settings_of

__all__ = ["PAGES", "Browser", "PageRoute", "redirect", "show"]

PAGES = Path(__file__).parent / "pages"
#: Nothing comes from elsewhere, nothing runs, nobody embeds it, and forms go nowhere else.
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; "
    "base-uri 'none'"
)
_COOKIE = "balsam_browser"


class Browser:
    """The browser that sends a request."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._is_safe = base_url(request, settings_of(request)).startswith("https://")
        #: Over https no other page of the same host name, or above it, can set this cookie.
        self._name = f"__Host-{_COOKIE}" if self._is_safe else _COOKIE
        known = request.cookies.get(self._name, "")
        self._text = known or logins.new_secret("browser")
        self._is_new = not known

    def account(self) -> AccountInfo | None:
        """Return who is logged in; None if nobody is."""
        return None if self._is_new else in_core(lambda: logins.browser_account(self._text))

    def derive(self, purpose: str) -> str:
        """Return a text that nobody else can know."""
        return hmac.new(self._text.encode(), purpose.encode(), hashlib.sha256).hexdigest()

    def check_form(self, form: dict[str, str]) -> None:
        """Raise NotAllowedError for a form that is not from a page of ours in this browser."""
        is_ours = hmac.compare_digest(form.get("guard", "").encode(), self.derive("form").encode())
        if not is_ours or self._request.headers.get("sec-fetch-site", "same-origin") not in (
            "same-origin",
            "none",
        ):
            raise NotAllowedError(
                "This form was not sent from its page, or cookies are off. Go back, load the page again, and "
                "send it once more."
            )

    def log_in(self, account_id: int) -> None:
        """Log in; the text of the cookie changes, so that one from before is of no use."""
        label = f"browser: {self._request.headers.get('user-agent', '')}"
        self._text = in_core(lambda: logins.new_browser_login(account_id, label))
        self._is_new = True

    def log_out(self) -> None:
        """Log out, and begin anew."""
        in_core(lambda: logins.end_browser_login(self._text))
        self._text, self._is_new = logins.new_secret("browser"), True

    def keep(self, response: Response) -> None:
        """Send the cookie with a response, if the browser does not have it."""
        if self._is_new:
            response.set_cookie(self._name, self._text, httponly=True, samesite="lax", secure=self._is_safe)


def show(browser: Browser, page: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Return a page."""
    text = _templates().get_template(page).render(guard=browser.derive("form"), **values)
    response = HTMLResponse(text, status, {"Content-Security-Policy": _POLICY})
    browser.keep(response)
    return response


def redirect(browser: Browser, address: str) -> RedirectResponse:
    """Send the browser to another page."""
    response = RedirectResponse(address, 303)
    browser.keep(response)
    return response


def _with_commands(text: str) -> Markup:
    """Show what an error puts between backquotes as what one types."""
    return Markup(re.sub(r"`([^`]+)`", r"<kbd>\1</kbd>", str(escape(text))))


@lru_cache(maxsize=1)
def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["commands"] = _with_commands
    return made


class PageRoute(APIRoute):
    """A route for people: errors are pages, too."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Wrap the handler."""
        handler = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await handler(request)
            except BalsamError as error:
                browser = Browser(request)
                page = show(browser, "problem.html", status_of(error), account=None, text=str(error))
                page.headers.update(headers_of(error))
                return page

        return handle
