"""What an application takes: parameters, and slots for files that are transferred."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any

from balsam.exceptions import DefinitionError, UsageError
from balsam.lib.command_templates import parameters_of

__all__ = ["AppParameter", "TransferDirection", "TransferSlot"]


@dataclass(frozen=True, slots=True)
class AppParameter:
    """One parameter. An optional one has a default."""

    required: bool = True
    default: str | None = None
    help: str = ""


class TransferDirection(StrEnum):
    """Whether files come to the working directory of a job, or leave it."""

    IN = "in"
    OUT = "out"


@dataclass(frozen=True, slots=True)
class TransferSlot:
    """A file or directory that jobs transfer; ``local_path`` is relative to the working directory."""

    required: bool
    direction: TransferDirection
    local_path: str
    description: str = ""
    recursive: bool = False


def template_parameters(template: str, declared: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the parameters of a command template, in its order of names; those not declared are required.

    Raises DefinitionError for a template that cannot be read, and a declared name it does not use.
    """
    try:
        names = parameters_of(template)
    except UsageError as error:
        raise DefinitionError(str(error)) from error
    if unused := sorted(set(declared) - set(names)):
        raise DefinitionError(
            f"The parameter {', '.join(unused)} is declared, but not in the command_template {template!r}. "
            f"Write {{{{ {unused[0]} }}}} there, or take it out of `parameters`."
        )
    return {name: _parameter(name, declared.get(name, AppParameter())) for name in names}


def _parameter(name: str, given: AppParameter | Mapping[str, Any]) -> dict[str, Any]:
    parameter = given if isinstance(given, AppParameter) else _read(AppParameter, name, given)
    if parameter.required and parameter.default is not None:
        raise DefinitionError(f"The parameter {name!r} is required, and has a default: it can be only one.")
    if not parameter.required and not parameter.default:
        raise DefinitionError(f"The parameter {name!r} is not required: give it a default that is not empty.")
    return asdict(parameter)


def signature_parameters(run: Callable[..., Any]) -> dict[str, dict[str, Any]]:
    """Return the parameters of a ``run`` method; raises DefinitionError for one that cannot be called."""
    parameters = list(inspect.signature(run).parameters.values())
    if not parameters or parameters[0].name != "self":
        raise DefinitionError("The first argument of run is `self`: write `def run(self, …)`.")
    rest = parameters[1:]
    for parameter in rest:
        if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            raise DefinitionError(
                f"run takes {parameter}: its arguments come by name, so that each needs a name of its own."
            )
    return {parameter.name: _run_parameter(parameter) for parameter in rest}


def _run_parameter(parameter: inspect.Parameter) -> dict[str, Any]:
    """Describe an argument; its default, which may be any object, stays with the class."""
    is_required = parameter.default is parameter.empty
    note = "" if parameter.annotation is parameter.empty else inspect.formatannotation(parameter.annotation)
    default = None if is_required else repr(parameter.default)[:200]
    return {"required": is_required, "default": default, "help": note}


def transfer_slots(declared: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the slots; raises DefinitionError for one that is impossible."""
    slots = {}
    for name, given in declared.items():
        slot = given if isinstance(given, TransferSlot) else _read(TransferSlot, name, given)
        path = PurePosixPath(slot.local_path)
        if path.is_absolute() or ".." in path.parts:
            raise DefinitionError(
                f"The local_path {slot.local_path!r} of the transfer {name!r} is not below the working "
                "directory: give a relative path without `..`."
            )
        if slot.direction not in list(TransferDirection):
            raise DefinitionError(f"The direction of the transfer {name!r} is {slot.direction!r}: in or out.")
        slots[name] = {**asdict(slot), "direction": str(slot.direction)}
    return slots


def check_patterns(name: str, patterns: Any) -> None:
    """Raise DefinitionError for ``cleanup_files`` that name nothing below the working directory."""
    if isinstance(patterns, str):
        raise DefinitionError(f"cleanup_files of {name} is a text; make it a list of patterns.")
    for pattern in patterns:
        path = PurePosixPath(pattern) if isinstance(pattern, str) else None
        if path is None or path.is_absolute() or ".." in path.parts or not path.parts:
            raise DefinitionError(
                f"{pattern!r} in cleanup_files of {name} names nothing below the working directory: give "
                "relative patterns without `..`, such as *.tmp."
            )


def _read(kind: Callable[..., Any], name: str, given: Any) -> Any:
    try:
        return kind(**given)
    except TypeError as error:
        raise DefinitionError(f"{name!r} cannot be {given!r}: {error}.") from error
