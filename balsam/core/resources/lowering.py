"""Run applications of the site generation by the machinery that knows command lines: theirs are ours.

A method that its class overrides is a hook command of Balsam's own, and so is a Python application.
"""

import shlex

from balsam.core.models import ApplicationDefinition, BalsamJob
from balsam.lib.own_python import OWN_PYTHON
from balsam.schemas.fields import Record
from balsam.schemas.resources import PREAMBLE_FILE
from balsam.states import END_STATES

__all__ = ["handlers", "is_of_sites", "is_python", "lower", "lower_jobs"]

_PREPROCESS = frozenset(("preprocess", "shell_preamble"))
_POSTPROCESS = frozenset(("postprocess", "handle_error", "handle_timeout"))


def is_python(app: ApplicationDefinition) -> bool:
    """Say whether its jobs run a Python method."""
    return not app.command_template and bool(app.serialized_class or app.class_path)


def is_of_sites(app: ApplicationDefinition) -> bool:
    """Say whether it is an application of the site generation, whose command lines are Balsam's."""
    return bool(app.command_template or app.serialized_class or app.class_path)


def lower(app: ApplicationDefinition, python_exe: str | None) -> Record:
    """Return the command lines of an application; ``python_exe`` None keeps the interpreter it has."""
    hooks = set(app.hooks)
    python = shlex.quote(python_exe or OWN_PYTHON) if python_exe is not None else _python_of(app)
    return {
        "executable": f"{python} -P -m balsam.api.run_app" if is_python(app) else "",
        "preprocess": f"{python} -P -m balsam.api.hook preprocess" if hooks & _PREPROCESS else "",
        "postprocess": f"{python} -P -m balsam.api.hook postprocess" if hooks & _POSTPROCESS else "",
        "envscript": PREAMBLE_FILE if "shell_preamble" in hooks else "",
    }


def _python_of(app: ApplicationDefinition) -> str:
    command = app.executable or app.preprocess or app.postprocess
    return shlex.quote(shlex.split(command)[0]) if command else OWN_PYTHON


def handlers(app: ApplicationDefinition) -> dict[str, bool]:
    """Return what a job of the application says of its handlers."""
    return {
        "post_error_handler": "handle_error" in app.hooks,
        "post_timeout_handler": "handle_timeout" in app.hooks,
    }


def lower_jobs(app: ApplicationDefinition) -> None:
    """Have the jobs that have not ended follow the handlers of their application."""
    BalsamJob.objects.filter(application=app.name).exclude(state__in=END_STATES).update(**handlers(app))
