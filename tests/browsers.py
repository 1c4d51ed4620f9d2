"""A real browser for tests of pages: the system's Chromium, without a window and without scripts of pages."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

CHROMIUM = shutil.which("chromium")
_OPTIONS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def why_no_browser() -> str:
    """Say why there is none; '' when there is."""
    if CHROMIUM is None:
        return "chromium is not installed"
    return "" if find_spec("playwright") else "playwright is not installed"


needs_browser = pytest.mark.skipif(bool(why_no_browser()), reason=why_no_browser() or "never")


@contextmanager
def browsing(**options: Any) -> Iterator["Page"]:
    """Open a page of a new browser; what it complains of in the console fails the test."""
    from playwright.sync_api import sync_playwright

    complaints: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=_OPTIONS)
        page = browser.new_context(java_script_enabled=False, **options).new_page()
        page.set_default_timeout(60_000)
        page.on("console", lambda message: complaints.append(message.text))
        yield page
        browser.close()
    assert not [text for text in complaints if "Failed to load resource" not in text]
