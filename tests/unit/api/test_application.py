"""What the body of an application class refuses, and what it makes of what is written there."""

from typing import Any

import pytest

from balsam.api import ApplicationDefinition, AppParameter, TransferDirection, TransferSlot
from balsam.api.serializing import load
from balsam.exceptions import DefinitionError, UsageError


def define(name: str = "App", **body: Any) -> type[ApplicationDefinition]:
    """Make a class with this body."""
    return type(name, (ApplicationDefinition,), body)


def run(self: Any, a: int, b: str = "x") -> None: ...


def run_anything(self: Any, *args: Any) -> None: ...


def run_without_self(a: int) -> None: ...


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"command_template": "true"}, "names no site"),
        ({"site": 1}, "neither a command_template nor a run method"),
        ({"site": 1, "command_template": "true", "run": run}, "both a command_template and a run method"),
        ({"site": 1, "command_template": "echo {{ }"}, "cannot be read"),
        ({"site": 1, "command_template": "echo {{ a }}", "parameters": {"b": {}}}, "b is declared, but not"),
        (
            {"site": 1, "command_template": "{{ a }}", "parameters": {"a": {"default": "1"}}},
            "required, and has a default",
        ),
        (
            {"site": 1, "command_template": "{{ a }}", "parameters": {"a": {"required": False}}},
            "give it a default",
        ),
        ({"site": 1, "command_template": "{{ a }}", "parameters": {"a": {"requird": True}}}, "requird"),
        ({"site": 1, "run": run_anything}, "needs a name of its own"),
        ({"site": 1, "run": run_without_self}, "first argument of run is `self`"),
        (
            {"site": 1, "command_template": "true", "transfers": {"in": {"required": True}}},
            "direction",
        ),
        (
            {"site": 1, "command_template": "true", "transfers": {"i": TransferSlot(True, "in", "../x")}},
            "not below the working directory",
        ),
        (
            {"site": 1, "command_template": "true", "transfers": {"i": TransferSlot(True, "up", "x")}},
            "in or out",
        ),
        ({"site": 1, "command_template": "true", "cleanup_files": "*.h5"}, "list of patterns"),
        ({"site": 1, "command_template": "true", "cleanup_files": ["../*.h5"]}, "below the working"),
        ({"site": 1, "command_template": "true", "cleanup_files": ["/x"]}, "below the working"),
    ],
)
def test_impossible_class_is_refused_where_it_is_written(body: dict[str, Any], message: str):
    with pytest.raises(DefinitionError, match=message):
        define(**body)
    with pytest.raises(AttributeError):
        define(**body)


def test_names_of_the_template_are_parameters():
    app = define(
        site=1,
        command_template="  echo {{ a }} {{ b }}\n",
        parameters={"b": AppParameter(required=False, default="2", help="second")},
    )
    assert app.command_template == "echo {{ a }} {{ b }}"
    assert app.parameters == {
        "a": {"required": True, "default": None, "help": ""},
        "b": {"required": False, "default": "2", "help": "second"},
    }


def test_arguments_of_run_are_parameters():
    assert define(site=1, run=run).parameters == {
        "a": {"required": True, "default": None, "help": "int"},
        "b": {"required": False, "default": "'x'", "help": "str"},
    }


def test_transfers_are_complete():
    slot = TransferSlot(required=True, direction=TransferDirection.IN, local_path="data.h5")
    app = define(site=1, command_template="true", transfers={"h5": slot})
    assert app.transfers["h5"] == {
        "required": True,
        "direction": "in",
        "local_path": "data.h5",
        "description": "",
        "recursive": False,
    }


def test_overridden_hooks_are_known_also_when_inherited():
    base = define("Base", site=1, command_template="true", postprocess=run)
    child = type("Child", (base,), {"shell_preamble": run})
    assert base.overridden_hooks() == ["postprocess"]
    assert child.overridden_hooks() == ["postprocess", "shell_preamble"]


def test_class_that_is_not_synced_has_no_id():
    from balsam.api import Job

    with pytest.raises(ValueError, match=r"call App\.sync"):
        Job("w", define(site=1, command_template="true"))


def test_import_path_of_files_of_a_site_is_the_same_class():
    from balsam.site import ApplicationDefinition as OfSites

    assert OfSites is ApplicationDefinition


def test_job_keeps_plain_parameters_readable_and_serializes_others():
    from balsam.api import Job

    job = Job("w", 1, parameters={"a": 1, "b": "x", "c": [1.5, None, True]})
    assert job.serialized_parameters == "" and job.parameters == {"a": 1, "b": "x", "c": [1.5, None, True]}
    job.parameters["a"] = 2
    assert job.get_parameters()["a"] == 2
    job.parameters = {"a": (1, 2)}
    assert job.serialized_parameters and job.get_parameters() == {"a": (1, 2)}
    job.parameters["a"] = (3, {4})
    job._settle()
    assert load(job.serialized_parameters) == {"a": (3, {4})}
    job.set_parameters({"a": 4})
    assert job.serialized_parameters == "" and job.parameters == {"a": 4}
    with pytest.raises(UsageError, match="cannot be serialized"):
        Job("w", 1, parameters={"a": (x for x in "ab")})
