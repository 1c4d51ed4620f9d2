"""A stand-in for Globus: it speaks the documented API of its login and transfer services, and copies files.

See https://docs.globus.org/api/auth/ and https://docs.globus.org/api/transfer/. What an endpoint calls ``/x``
is the file ``/x`` below its directory.
"""

import base64
import hashlib
import json
import re
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]
SCOPE = "urn:globus:auth:scope:transfer.api.globus.org:all"
_TASK = re.compile(r"/v0\.10/task/([0-9a-f-]{36})(?:/(\w+))?")


@dataclass
class Task:
    """One submission, and what has become of it."""

    task_id: str
    document: Json
    status: str = "ACTIVE"
    fatal_error: Json | None = None
    copied: list[Json] = field(default_factory=list)
    skipped: list[Json] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)

    def as_json(self, trouble: str) -> Json:
        """Return the task document."""
        is_active = self.status == "ACTIVE"
        nice_status = (trouble or "OK") if is_active else None
        return {
            "DATA_TYPE": "task",
            "task_id": self.task_id,
            "type": "TRANSFER",
            "status": "INACTIVE" if is_active and trouble == "INACTIVE" else self.status,
            "is_paused": is_active and trouble == "PAUSED",
            "nice_status": nice_status,
            "nice_status_short_description": nice_status,
            "fatal_error": self.fatal_error,
            "label": self.document.get("label"),
            "bytes_transferred": sum(one["size"] for one in self.copied),
        }


class GlobusService:
    """What it knows and has done; tests look at it, and set what is to go wrong."""

    def __init__(self) -> None:
        self.url = ""
        self.endpoints: dict[str, Path] = {}
        #: Endpoints whose data nobody is let at without a consent.
        self.wants_consent: set[str] = set()
        #: submission id -> its task: the book of what was accepted.
        self.book: dict[str, Task] = {}
        self.duplicates = 0
        #: Statuses with which the next requests of the transfer service are answered.
        self.faults: list[int] = []
        self.requests: list[str] = []
        #: Tasks do not go on while it is not set.
        self.goes_on = threading.Event()
        self.goes_on.set()
        #: No ids for submissions are given out while it is not set.
        self.gives_ids = threading.Event()
        self.gives_ids.set()
        #: What tasks wait for meanwhile: PAUSED, INACTIVE, or the code of an error.
        self.trouble = ""
        #: Names of files in trees that nobody may read.
        self.unreadable: set[str] = set()
        #: What the paths of what is skipped begin with besides: that of a home directory.
        self.home = ""
        #: Of the next tasks: fatal errors by the name of a file that they come to.
        self.fatal: dict[str, str] = {}
        self.codes: dict[str, Json] = {}
        self.access: dict[str, tuple[float, set[str]]] = {}
        self.refresh: dict[str, set[str]] = {}
        self.lifetime_sec = 3600
        self._lock = threading.Lock()

    # -- logins ------------------------------------------------------------------------------------------

    def authorize(self, query: Json) -> str:
        """Show a code, as the page at the end of the link does."""
        code = uuid.uuid4().hex
        self.codes[code] = {name: values[0] for name, values in query.items()}
        return code

    def visit(self, link: str) -> str:
        """Be the person who follows the link and consents; return the code."""
        parts = urlsplit(link)
        assert f"{parts.scheme}://{parts.netloc}" == self.url and parts.path == "/v2/oauth2/authorize", link
        return self.authorize(parse_qs(parts.query))

    def token(self, form: dict[str, str]) -> tuple[int, Json]:
        """Answer for tokens: for a code, and for a refresh token."""
        if form["grant_type"] == "authorization_code":
            asked = self.codes.pop(form["code"], None)
            digest = hashlib.sha256(form["code_verifier"].encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            if (
                asked is None
                or asked["code_challenge"] != challenge
                or asked["client_id"] != form["client_id"]
            ):
                return 401, {"error": "invalid_grant"}
            assert asked["scope"].startswith(SCOPE) and asked["access_type"] == "offline"
            consents = set(re.findall(r"/scopes/([0-9a-f-]{36})/data_access", asked["scope"]))
            return 200, self.new_tokens(consents)
        consents_kept = self.refresh.get(form["refresh_token"])
        if form["grant_type"] != "refresh_token" or consents_kept is None:
            return 400, {"error": "invalid_grant"}
        answer = self.new_tokens(consents_kept)
        del self.refresh[answer.pop("refresh_token")]
        return 200, answer

    def new_tokens(self, consents: set[str]) -> Json:
        """Give out tokens."""
        access, refresh = f"access-{uuid.uuid4().hex}", f"refresh-{uuid.uuid4().hex}"
        self.access[access] = (time.time() + self.lifetime_sec, consents)
        self.refresh[refresh] = consents
        return {
            "access_token": access,
            "refresh_token": refresh,
            "expires_in": self.lifetime_sec,
            "scope": SCOPE,
            "resource_server": "transfer.api.globus.org",
            "token_type": "Bearer",
            "other_tokens": [],
        }

    # -- transfers ---------------------------------------------------------------------------------------

    def transfer(self, method: str, path: str, query: Json, token: str, body: Json) -> tuple[int, Json]:
        """Answer a request of the transfer service."""
        with self._lock:
            self.requests.append(f"{method} {path}")
            if self.faults:
                status = self.faults.pop(0)
                return status, error(
                    "ServiceUnavailable" if status == 503 else "InternalError", "Not just now"
                )
        expires, consents = self.access.get(token, (0.0, set()))
        if expires < time.time():
            return 401, error("AuthenticationFailed", "Token is not active")
        if (method, path) == ("GET", "/v0.10/submission_id"):
            self.gives_ids.wait()
            return 200, {"DATA_TYPE": "submission_id", "value": str(uuid.uuid4())}
        if (method, path) == ("POST", "/v0.10/transfer"):
            return self.submit(body, consents)
        found = _TASK.fullmatch(path)
        tasks = {task.task_id: task for task in self.book.values()}
        if found is None or found[1] not in tasks:
            return 404, error("TaskNotFound", f"There is no {path}")
        if (method, found[2]) == ("POST", "cancel"):
            return 200, self.cancel(tasks[found[1]])
        if method != "GET":
            return 405, error("MethodNotAllowed", f"No {method} of {path}")
        return self.of_task(tasks[found[1]], found[2], query)

    def of_task(self, task: Task, what: str | None, query: Json) -> tuple[int, Json]:
        """Answer a request for a task, or for a page of what it has done."""
        if what is None:
            return 200, task.as_json(self.trouble)
        if what == "event_list":
            return 200, {"DATA_TYPE": "event_list", "DATA": task.events}
        rows = {"successful_transfers": task.copied, "skipped_errors": task.skipped}[what]
        start = int(query.get("marker", ["0"])[0])
        more = start + 10 < len(rows)
        return 200, {
            "DATA_TYPE": what,
            "DATA": rows[start : start + 10],
            "next_marker": start + 10 if more else None,
        }

    def cancel(self, task: Task) -> Json:
        """End a task before it has copied anything more."""
        with self._lock:
            code = "Canceled" if task.status == "ACTIVE" else "TaskComplete"
            if task.status == "ACTIVE":
                task.status, task.fatal_error = "FAILED", {"code": "CANCELED", "description": "Cancelled"}
        return {"DATA_TYPE": "result", "code": code, "message": "The task has been cancelled", "resource": ""}

    def submit(self, body: Json, consents: set[str]) -> tuple[int, Json]:
        """Take a submission, once."""
        with self._lock:
            ends = (body["source_endpoint"], body["destination_endpoint"])
            for endpoint in ends:
                if endpoint not in self.endpoints:
                    return 404, error("EndpointNotFound", f"No such endpoint {endpoint}")
            missing = [e for e in ends if e in self.wants_consent and e not in consents]
            if missing:
                scopes = [f"{SCOPE}[*https://auth.globus.org/scopes/{e}/data_access]" for e in missing]
                answer = error("ConsentRequired", "Missing required data_access consent")
                return 403, answer | {"required_scopes": scopes}
            submission = uuid.UUID(body["submission_id"])
            task = self.book.get(str(submission))
            code = "Duplicate" if task else "Accepted"
            self.duplicates += task is not None
            if task is None:
                assert body["verify_checksum"] and not body["notify_on_succeeded"] and body["DATA"]
                task = self.book[str(submission)] = Task(str(uuid.uuid4()), body)
                threading.Thread(target=self.work, args=(task,), daemon=True).start()
        answer = {"DATA_TYPE": "transfer_result", "code": code, "task_id": task.task_id}
        return 202, {**answer, "submission_id": str(submission), "message": "The transfer has been accepted"}

    def work(self, task: Task) -> None:
        """Copy what a task names."""
        self.goes_on.wait()
        source, target = (
            self.endpoints[task.document[f"{end}_endpoint"]] for end in ("source", "destination")
        )
        for item in task.document["DATA"]:
            if task.status != "ACTIVE":
                return
            if not self.copy(task, item, source, target):
                task.status = "FAILED"
                return
        task.status = "SUCCEEDED"

    def copy(self, task: Task, item: Json, source: Path, target: Path) -> bool:
        """Copy one item; False when that ends the task."""
        there = source / item["source_path"].lstrip("/")
        code = "FILE_NOT_FOUND" if not there.exists() else self.fatal.get(there.name, "")
        recursive = item.get("recursive", there.is_dir())
        if not code and recursive != there.is_dir():
            code = "NOT_A_DIRECTORY" if recursive else "IS_A_DIRECTORY"
        details = f"Error (transfer)\nFile: {item['source_path']}\nMessage: {code}\n"
        if code == "FILE_NOT_FOUND" and task.document["skip_source_errors"]:
            self.skip(task, code, item["source_path"], details)
            return True
        if code:
            task.events.append(
                {"code": code, "is_error": True, "description": code.title(), "details": details}
            )
            task.fatal_error = {"code": code, "description": code.title()}
            return False
        files = [path for path in there.rglob("*") if path.is_file()] if recursive else [there]
        (target / item["destination_path"].lstrip("/")).mkdir(
            parents=True
        ) if recursive and not files else None
        for file in files:
            if file.name in self.unreadable:
                self.skip(task, "PERMISSION_DENIED", f"{item['source_path']}/{file.relative_to(there)}", "no")
                continue
            below = f"/{file.relative_to(there)}" if recursive else ""
            destination = item["destination_path"].rstrip("/") + below
            to = target / destination.lstrip("/")
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, to)
            task.copied.append(
                {"source_path": str(file), "destination_path": destination, "size": to.stat().st_size}
            )
        return True

    def skip(self, task: Task, code: str, source: str, details: str) -> None:
        """Leave a file out."""
        task.skipped.append(
            {"error_code": code, "error_details": details, "source_path": f"{self.home}{source}"}
        )


def error(code: str, message: str) -> Json:
    """Return the document of an error."""
    return {"code": code, "message": message, "request_id": "abc", "resource": "/"}


@contextmanager
def globus_service() -> Iterator[GlobusService]:
    """Run the service."""
    service = GlobusService()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.answer(b"")

        def do_POST(self) -> None:
            self.answer(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

        def answer(self, body: bytes) -> None:
            parts = urlsplit(self.path)
            query = parse_qs(parts.query)
            if parts.path == "/v2/oauth2/token":
                form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
                status, answer = service.token(form)
            else:
                token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                document = json.loads(body) if body else {}
                status, answer = service.transfer(self.command, parts.path, query, token, document)
            text = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        service.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield service
        service.gives_ids.set()
        service.goes_on.set()
        server.shutdown()
