"""The class of an application, read where its jobs run: from the text that was synced, or from its file."""

import inspect
import sys
from pathlib import Path
from types import ModuleType

from balsam.api.application import ApplicationDefinition, implied_site
from balsam.api.serializing import load_class
from balsam.exceptions import DefinitionError
from balsam.schemas.jobs import AppCode

__all__ = ["FILE_MODULES", "classes_of_file", "read_class"]

#: Where the modules of such files are, among those that are imported.
FILE_MODULES = "balsam_site_apps"


def read_class(code: AppCode) -> type[ApplicationDefinition]:
    """Return the class of an application, whose code is run for that; raises DefinitionError."""
    if code.class_path:
        return _read_file_class(code)
    if not code.serialized_class:
        raise DefinitionError(f"{code.name} has no Python code. Call {code.name}.sync() again.")
    found = load_class(code.serialized_class)
    if not issubclass(found, ApplicationDefinition):
        raise DefinitionError(f"{code.name} is no ApplicationDefinition, but {found!r}.")
    return found


def _read_file_class(code: AppCode) -> type[ApplicationDefinition]:
    module_name, _, name = code.class_path.rpartition(".")
    path = Path(code.apps_dir) / f"{module_name}.py"
    for found in classes_of_file(code.site_id, path):
        if found.__name__ == name:
            return found
    raise DefinitionError(f"There is no application {name} in {path}.")


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
    module = ModuleType(f"{FILE_MODULES}.{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # for its classes to find their own text
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), vars(module))
    except Exception as error:
        raise DefinitionError(f"{path} cannot be imported: {type(error).__name__}: {error}.") from error
    return module
