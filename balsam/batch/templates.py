"""Render the job template: the user's own, or the machine's; every value is one word of a shell.

The template runs in jinja2's sandbox, once; a name that is not known is an error with file and line.
"""

import os
import shlex
import shutil
import sys
import traceback
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from balsam.batch.desk import Desk
from balsam.config import balsam_home
from balsam.config.client_file import client_path
from balsam.exceptions import ConfigError, UsageError
from balsam.lib.tag_words import TagWords, partition_words
from balsam.platform.machines import KNOWN_MACHINES, load_machine
from balsam.schemas.batch_jobs import BatchJobRequest

__all__ = ["render_script"]


def render_script(desk: Desk, request: BatchJobRequest) -> str:
    """Return the job script; raises UsageError for a path it cannot hold, ConfigError for a bad template."""
    path = _template(desk)
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"Cannot read the job template {path}: {error}. "
            "JOB_TEMPLATE in settings.json names it; set that to auto for the machine's own."
        ) from error
    return _rendered(source, str(path), _variables(desk, request))


def _template(desk: Desk) -> Path:
    """Return the template of the settings; ``auto``: the generic one of the scheduler."""
    setting, scheduler = desk.settings.JOB_TEMPLATE, desk.adapter.name
    if setting == "auto":
        return load_machine(scheduler if scheduler in KNOWN_MACHINES else "local").job_template
    return balsam_home() / Path(setting).expanduser()


def _rendered(source: str, origin: str, variables: dict[str, Any]) -> str:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    try:
        code = environment.compile(source, filename=origin)
        template = environment.template_class.from_code(environment, code, environment.make_globals(None))
        return template.render(variables)
    except TemplateSyntaxError as error:
        raise _error(origin, error.lineno, error.message or "") from error
    except (TemplateError, ArithmeticError, AttributeError, TypeError, ValueError, LookupError) as error:
        frames = traceback.extract_tb(error.__traceback__)
        line = next((frame.lineno for frame in reversed(frames) if frame.filename == origin), None)
        raise _error(origin, line, str(error)) from error


def _error(origin: str, line: int | None, problem: str) -> ConfigError:
    where = f"{origin}, line {line}" if line else origin
    return ConfigError(
        f"The job template cannot be used: {where}: {problem}. "
        "docs/batch-jobs.md lists the names that a template may use."
    )


def _variables(desk: Desk, request: BatchJobRequest) -> dict[str, Any]:
    balsam_bin = str(Path(sys.executable).parent)
    pg_ctl = shutil.which("pg_ctl")
    return {
        "project": request.project,
        "queue": request.queue,
        "nodes": request.num_nodes,
        "num_nodes": request.num_nodes,
        "time_minutes": request.wall_time_min,
        "wall_time_min": request.wall_time_min,
        "job_mode": request.job_mode,
        "wf_filter": f"wf-filter={shlex.quote(request.workflow)}" if request.workflow else "consume-all",
        "filter_tags": TagWords(request.filter_tags),
        "partitions": partition_words(request.partitions or ()),
        "optional_params": {**desk.optional_params, **request.optional_params},
        "sched_flags": request.sched_flags,
        "balsam_bin": _word(balsam_bin),
        "pg_bin": _word(Path(pg_ctl).parent if pg_ctl else balsam_bin),
        "balsam_db_path": _word(desk.db_path) if desk.db_path else "",
        "balsam_site_path": _word(desk.directory),
        "launcher_cmd": f"{_own_files()}{_word(Path(balsam_bin) / 'balsam')} launcher",
    }


def _own_files() -> str:
    """Return what gives a launcher the settings and login of this process; schedulers may pass nothing on."""
    places = {"BALSAM_HOME": balsam_home(), "BALSAM_CLIENT_PATH": client_path()}
    words = [f"{name}={_word(path.absolute())}" for name, path in places.items() if os.environ.get(name)]
    return f"env {' '.join(words)} " if words else ""


def _word(path: Path | str) -> str:
    """Return a path as one word of a shell."""
    text = str(path)
    if not text.isprintable():
        raise UsageError(f"The path {text!r} cannot be put into a job script: it has control characters.")
    return shlex.quote(text)
