"""The code of applications, asked of the core once for each version."""

from dataclasses import dataclass, field
from typing import Any, cast

from balsam.client import Client
from balsam.launcher.app_codes import AppCodes
from balsam.schemas.jobs import JobSpec
from balsam.schemas.resources import Page, Query


@dataclass
class Core:
    """Two applications; the second is in a file."""

    version: int = 1
    asked: list[tuple[str, list[int]]] = field(default_factory=list)

    def list_resources(self, resource: str, query: Query) -> Page:
        ids = query.filters["id"]
        self.asked.append((resource, ids))
        if resource == "site":
            return Page(1, [{"id": 3, "path": "/site"}])
        apps: list[dict[str, Any]] = [
            {"id": 1, "class_path": "", "serialized_class": f"class {self.version}"},
            {"id": 2, "class_path": "m.B", "serialized_class": ""},
        ]
        rest = {"version": self.version, "name": "A", "site_id": 3}
        return Page(2, [{**app, **rest} for app in apps if app["id"] in ids])


def spec(app_id: int, version: int = 1) -> JobSpec:
    return JobSpec(
        job_id="j", name="j", attempt=1, command="", workdir="/", app_id=app_id, app_version=version
    )


def test_each_version_is_asked_for_once() -> None:
    core = Core()
    codes = AppCodes(cast(Client, core))
    codes.fetch([spec(0), spec(1), spec(1)])
    codes.fetch([spec(1)])
    assert core.asked == [("app", [1])]
    core.version = 2
    codes.fetch([spec(1, 2)])
    codes.fetch([spec(1, 1)])
    assert core.asked == [("app", [1])] * 2
    (code,) = codes.of([spec(1, 1), spec(0)])
    assert (code.version, code.serialized_class, code.apps_dir) == (2, "class 2", "")


def test_files_are_looked_for_at_their_site_and_what_is_gone_is_left_out() -> None:
    core = Core()
    codes = AppCodes(cast(Client, core))
    codes.fetch([spec(2), spec(9)])
    (code,) = codes.of([spec(2), spec(9)])
    assert (code.app_id, code.class_path, code.apps_dir) == (2, "m.B", "/site/apps")
    assert core.asked == [("app", [2, 9]), ("site", [3])]
