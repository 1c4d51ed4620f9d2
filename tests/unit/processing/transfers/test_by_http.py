"""Files from a real web server, which answers ranges, cuts connections, and fails as it is told."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.unit.processing.transfers.carried import carried, transfer_spec

CONTENT = bytes(range(256)) * 4000


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    cuts = 0
    ranges: list[str | None] = []

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        type(self).ranges.append(asked)
        if self.path != "/big%20file":
            self.send_error(503 if self.path == "/busy" else 404)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.send_header("ETag", '"v1"')
        self.end_headers()
        if type(self).cuts > 0:
            type(self).cuts -= 1
            self.wfile.write(CONTENT[start : start + 400_000])
            self.close_connection = True
            return
        self.wfile.write(CONTENT[start:])

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    Handler.cuts, Handler.ranges = 0, []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    return tmp_path / "data" / "job"


def test_a_file_is_brought_and_what_was_cut_off_is_gone_on_from(port: int, workdir: Path):
    Handler.cuts = 1
    workdir.parent.mkdir()
    spec = transfer_spec(
        workdir, direction="in", slot="data", location_alias="web", location=f"http://127.0.0.1:{port}",
        remote_path="/big file", local_path="in.dat", recursive=False,
    )  # fmt: skip
    first = carried(spec)
    assert (first.state, first.is_failure) == ("inactive", True)
    assert not (workdir / "in.dat").exists()
    assert carried(spec).state == "done"
    assert (workdir / "in.dat").read_bytes() == CONTENT
    assert Handler.ranges[0] is None and str(Handler.ranges[1]).startswith("bytes=")


@pytest.mark.parametrize(
    ("digest", "state"), [(hashlib.sha256(CONTENT).hexdigest(), "done"), ("0" * 64, "inactive")]
)
def test_a_checksum_is_compared(port: int, workdir: Path, digest: str, state: str):
    workdir.parent.mkdir()
    url = f"http://127.0.0.1:{port}/big file#sha256={digest}"
    result = carried(transfer_spec(workdir, direction="in", remote_path=url, local_path="."))
    assert result.state == state, result.message
    assert (workdir / "big file").exists() is (state == "done")


@pytest.mark.parametrize(("path", "state"), [("/missing", "error"), ("/busy", "inactive")])
def test_what_may_pass_is_tried_again_and_what_does_not_is_given_up(
    port: int, workdir: Path, path: str, state: str
):
    workdir.parent.mkdir()
    url = f"http://127.0.0.1:{port}{path}"
    result = carried(transfer_spec(workdir, direction="in", remote_path=url, local_path="."))
    assert result.state == state and path in result.message


def test_a_server_that_is_not_there_is_tried_again(workdir: Path):
    workdir.parent.mkdir()
    url = "http://127.0.0.1:1/x"
    result = carried(transfer_spec(workdir, direction="in", remote_path=url, local_path="."))
    assert result.state == "inactive" and "refused" in result.message.lower()
