"""Applications in the files of a site: ``apps/*.py`` below its directory, read where its jobs run."""

from dataclasses import dataclass
from pathlib import Path

from balsam.api.app_classes import classes_of_file
from balsam.api.models import App, Site
from balsam.api.syncing import sync

__all__ = ["FileApp", "sync_files"]


@dataclass(frozen=True, slots=True)
class FileApp:
    """What became of an application: CREATED, UPDATED, UP-TO-DATE, or MISSING from the files."""

    class_path: str
    app_id: int
    change: str


def sync_files(site: Site) -> list[FileApp]:
    """Tell a site what the files in its ``apps`` directory define, and return what has changed.

    Nothing is deleted: applications that no file defines any more are MISSING. Raises DefinitionError for a
    file that cannot be imported; then nothing has been changed.
    """
    files = sorted((Path(site.path) / "apps").glob("*.py"))
    defined = {
        f"{file.stem}.{found.__name__}": found for file in files for found in classes_of_file(site.id, file)
    }
    before = {app.class_path: app for app in App.objects.filter(site_id=site.id) if app.class_path}
    synced = []
    for class_path, found in defined.items():
        number = sync(found, class_path=class_path)
        old = before.get(class_path)
        changed = old is None or App.objects.get(id=number).version != old.version
        change = "CREATED" if old is None else "UPDATED" if changed else "UP-TO-DATE"
        synced.append(FileApp(class_path, number, change))
    missing = [FileApp(path, app.id, "MISSING") for path, app in before.items() if path not in defined]
    return synced + missing
