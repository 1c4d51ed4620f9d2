"""The code of Python applications as workers are told of it: asked of the core once for each version."""

from collections.abc import Iterable

from balsam.client import Client
from balsam.schemas.fields import Record
from balsam.schemas.jobs import AppCode, JobSpec
from balsam.schemas.resources import Query

__all__ = ["AppCodes"]


class AppCodes:
    """What a launcher knows of the applications of its jobs."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._codes: dict[int, AppCode] = {}

    def fetch(self, specs: Iterable[JobSpec]) -> None:
        """Ask for what the jobs need and is not known, or known of an earlier version only."""
        wanted = sorted(
            {
                spec.app_id
                for spec in specs
                if spec.app_id and not self._is_known(spec.app_id, spec.app_version)
            }
        )
        if not wanted:
            return
        apps = self._client.list_resources("app", Query(filters={"id": wanted})).results
        in_files = sorted({app["site_id"] for app in apps if app["class_path"]})
        sites = (
            self._client.list_resources("site", Query(filters={"id": in_files})).results if in_files else []
        )
        paths = {site["id"]: site["path"] for site in sites}
        self._codes.update((app["id"], _code(app, paths.get(app["site_id"], ""))) for app in apps)

    def of(self, specs: Iterable[JobSpec]) -> list[AppCode]:
        """Return the code of the jobs' applications; one that has been deleted is left out."""
        ids = {spec.app_id for spec in specs}
        return [self._codes[app_id] for app_id in sorted(ids & self._codes.keys())]

    def _is_known(self, app_id: int, version: int) -> bool:
        code = self._codes.get(app_id)
        return code is not None and code.version >= version


def _code(app: Record, site_path: str) -> AppCode:
    return AppCode(
        app_id=app["id"],
        version=app["version"],
        name=app["name"],
        site_id=app["site_id"],
        serialized_class=app["serialized_class"],
        class_path=app["class_path"],
        apps_dir=f"{site_path}/apps" if app["class_path"] else "",
    )
