"""Applications in the files of a site: ``apps/*.py`` below its directory, read where its jobs run."""

import inspect
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from balsam.api.application import ApplicationDefinition, implied_site
from balsam.api.models import App, Site
from balsam.api.syncing import sync
from balsam.exceptions import DefinitionError

__all__ = ["FileApp", "classes_of_file", "load_file_class", "sync_files"]

_PREFIX = "balsam_site_apps"


def load_file_class(site_id: int, class_path: str) -> type[ApplicationDefinition]:
    """Return the class ``module.Class`` of a site; raises DefinitionError when there is none."""
    module_name, _, name = class_path.rpartition(".")
    path = Path(Site.objects.get(id=site_id).path) / "apps" / f"{module_name}.py"
    for found in classes_of_file(site_id, path):
        if found.__name__ == name:
            return found
    raise DefinitionError(f"There is no application {name} in {path}.")


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


def classes_of_file(site_id: int, path: Path) -> list[type[ApplicationDefinition]]:
    """Import a file and return the applications it defines, in its order; raises DefinitionError."""
    with implied_site(site_id):
        module = _import(path)
    return [
        found
        for found in vars(module).values()
        if inspect.isclass(found)
        and issubclass(found, ApplicationDefinition)
        and found.__module__ == module.__name__
    ]


def _import(path: Path) -> ModuleType:
    """Run a file as it is now: a cached module, or bytecode of the same second, may be older than an edit."""
    module = ModuleType(f"{_PREFIX}.{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # for its classes to find their own text
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
    except Exception as error:
        raise DefinitionError(f"{path} cannot be imported: {type(error).__name__}: {error}.") from error
    return module
