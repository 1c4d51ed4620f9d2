"""Imports point downward only, as the folders' order says; Django stays where the tables are."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import balsam

ROOT = Path(balsam.__file__).parent

#: Folder or module -> what it may import from, besides itself.
BELOW: dict[str, set[str]] = {"exceptions": set(), "django_settings": set()}
BELOW["states"] = {"exceptions"}
BELOW["lib"] = {"exceptions"}
BELOW["schemas"] = {"lib", "states", "exceptions"}
BELOW["platform"] = BELOW["schemas"]
BELOW["postgres"] = {"lib", "exceptions"}
BELOW["config"] = {"platform", "schemas"} | BELOW["schemas"]
BELOW["remote"] = {"config", "postgres"} | BELOW["config"]
BELOW["client"] = {"config"} | BELOW["config"]
BELOW["api"] = {"client"} | BELOW["client"]
BELOW["site"] = BELOW["analytics"] = {"api"} | BELOW["api"]
BELOW["processing"] = {"api", "remote"} | BELOW["api"]
BELOW["batch"] = {"processing"} | BELOW["processing"]
BELOW["launcher"] = {"batch"} | BELOW["batch"]
BELOW["agent"] = {"launcher"} | BELOW["launcher"]
BELOW["localqueue"] = BELOW["selftest"] = {"config"} | BELOW["config"]
BELOW["core"] = {"postgres", "schemas", "django_settings"} | BELOW["schemas"]
BELOW["server"] = {"core"} | BELOW["core"]
BELOW["dashboard"] = BELOW["server"]
BELOW["cli"] = {"remote", "server", "agent", "launcher", "localqueue", "selftest", "core", "postgres"}
BELOW["cli"] |= BELOW["launcher"]

#: Modules that are the face of another layer.
EXCEPTIONS: dict[str, set[str]] = {"launcher/dag.py": {"core"}, "launcher/futures.py": {"core"}}
#: The package itself resolves its names when they are asked for.
FACADE = "__init__.py"
USE_DJANGO = {"core", "server", "dashboard"}


def sources() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in ROOT.rglob("*.py"))


def imported_modules(source: str) -> Iterator[str]:
    """Name every module a file imports, wherever in the file."""
    for node in ast.walk(ast.parse((ROOT / source).read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{source}: relative imports hide the layer"
            if node.module == "balsam":
                yield from (f"balsam.{alias.name}" for alias in node.names)
            elif node.module:
                yield node.module


def layer_of(source: str) -> str:
    return source.split("/")[0].removesuffix(".py")


@pytest.mark.parametrize("source", [source for source in sources() if source != FACADE])
def test_imports_point_downward(source: str):
    layer = layer_of(source)
    allowed = {layer} | BELOW[layer] | EXCEPTIONS.get(source, set())
    names = {module.split(".")[1] for module in imported_modules(source) if module.startswith("balsam.")}
    upward = {name for name in names if (ROOT / name).is_dir() or (ROOT / f"{name}.py").exists()} - allowed
    assert not upward, f"balsam/{source} must not import from {', '.join(sorted(upward))}"


@pytest.mark.parametrize("source", [source for source in sources() if layer_of(source) not in USE_DJANGO])
def test_only_the_layers_with_tables_import_django(source: str):
    django = [name for name in imported_modules(source) if name.split(".")[0] == "django"]
    assert not django, f"balsam/{source} imports {', '.join(django)}"


def test_no_module_goes_by_an_empty_name():
    names = {Path(source).stem for source in sources()}
    assert not names & {"utils", "util", "common", "misc", "helpers"}


def test_modules_that_people_write_are_short():
    written = [source for source in sources() if "migrations" not in Path(source).parts]
    long = {s: n for s in written if (n := len((ROOT / s).read_text().splitlines())) > 400}
    assert not long
