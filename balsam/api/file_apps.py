"""Applications in the files of a site: ``apps/*.py`` below its directory, read where its jobs run."""

import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType

from balsam.api.application import ApplicationDefinition, implied_site
from balsam.api.models import Site
from balsam.exceptions import DefinitionError

__all__ = ["classes_of_file", "load_file_class"]

_PREFIX = "balsam_site_apps"


def load_file_class(site_id: int, class_path: str) -> type[ApplicationDefinition]:
    """Return the class ``module.Class`` of a site; raises DefinitionError when there is none."""
    module_name, _, name = class_path.rpartition(".")
    path = Path(Site.objects.get(id=site_id).path) / "apps" / f"{module_name}.py"
    for found in classes_of_file(site_id, path):
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
    name = f"{_PREFIX}.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise DefinitionError(f"{path} is no Python file.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # for its classes to find their own text
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise DefinitionError(f"{path} cannot be imported: {type(error).__name__}: {error}.") from error
    return module
