"""Command templates of the site generation: ``{{ name }}`` for a parameter, all else as the user wrote it.

Guards that a parameter is one word of the shell, whatever it holds; ``$VAR`` and ``&&`` of the template are
live, on the ranks, and the exit status is that of the whole.
"""

import re
import shlex
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from balsam.exceptions import UsageError

if TYPE_CHECKING:
    from jinja2 import Environment, Template

__all__ = ["SHELL", "fill_in", "parameters_of", "render_command"]

#: What runs a template that is filled in: `-c` and its text, or the file that holds it.
SHELL = ("/bin/bash", "-o", "pipefail")

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def render_command(template: str, parameters: Mapping[str, str]) -> str:
    """Return the command line, a shell with the rendered template; raises UsageError when it cannot be."""
    return shlex.join([*SHELL, "-c", fill_in(template, parameters)])


def fill_in(template: str, parameters: Mapping[str, str]) -> str:
    """Return the template with each parameter as one word of the shell; raises UsageError if it cannot be."""
    from jinja2 import TemplateError

    try:
        text = _compiled(template).render({name: shlex.quote(value) for name, value in parameters.items()})
    except TemplateError as error:
        raise UsageError(f"The command template {template!r} cannot be filled in: {error}.") from error
    if "\0" in text:
        raise UsageError(f"A parameter of {template!r} holds a NUL character, which no command can take.")
    return text


def parameters_of(template: str) -> list[str]:
    """Return the names that a template takes, sorted; raises UsageError for one that cannot be read."""
    from jinja2 import TemplateError, meta

    try:
        names = meta.find_undeclared_variables(_environment().parse(template))
    except TemplateError as error:
        raise UsageError(f"The command template {template!r} cannot be read: {error}.") from error
    for name in names:
        if not _IDENTIFIER.fullmatch(name):
            raise UsageError(f"{name!r} in the command template {template!r} is no identifier.")
    return sorted(names)


@lru_cache(maxsize=64)
def _compiled(template: str) -> "Template":
    return _environment().from_string(template)


@cache
def _environment() -> "Environment":
    """Return jinja2's, which is large: Python applications do without."""
    from jinja2 import StrictUndefined
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    return ImmutableSandboxedEnvironment(undefined=StrictUndefined)
