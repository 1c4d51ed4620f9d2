"""The interactive page in a real browser: it shows the routes, and asks nobody else for anything."""

import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

_QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


def test_page_is_made_of_what_the_server_has(address: str):
    page = httpx.get(f"{address}/docs")
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    parts = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(parts) == 3
    for part in parts:
        assert part.startswith("/docs/") and httpx.get(address + part).status_code == 200
    assert httpx.get(f"{address}/docs/../balsam").status_code == 404
    assert "//" not in re.sub(r"https?://127\.0\.0\.1:\d+", "", page.text).replace("</", "")


def test_browser_shows_the_page_and_asks_nobody_else(address: str, tmp_path: Path):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("chromium is not installed")
    log = tmp_path / "net.json"
    done = subprocess.run(
        [
            *(chromium, *_QUIET, f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={log}"),
            *("--virtual-time-budget=20000", "--dump-dom", f"{address}/docs"),
        ],
        capture_output=True,
        text=True,
        timeout=180,
    )
    for told in ("/batch-jobs/", "/events/query", "Authorize", "/healthz"):
        assert told in re.sub(r"<[^>]+>|\u200b", "", done.stdout), done.stdout[-2000:]
    # what the page itself asks for has the page as its initiator; the rest is the browser's own
    urls = set(re.findall(rf'"initiator":"{re.escape(address)}".*?"url":"([^"]+)"', log.read_text()))
    assert f"{address}/openapi.json" in urls and f"{address}/docs/swagger-ui-bundle.js" in urls
    assert all(url.startswith(address + "/") for url in urls), urls
