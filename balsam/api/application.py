"""`ApplicationDefinition`: the class that a user writes for each thing that jobs run.

A class is checked while its body is executed. What a site has to know of it is sent by `sync`; the class
itself goes along only when it has methods to run there.
"""

import os
from collections.abc import Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, ClassVar

from balsam.api import syncing
from balsam.api.app_parameters import (
    check_patterns,
    signature_parameters,
    template_parameters,
    transfer_slots,
)
from balsam.api.models import App, Job, Site
from balsam.api.serializing import is_reading
from balsam.exceptions import DefinitionError
from balsam.lib.command_templates import fill_in

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["HOOKS", "ApplicationDefinition"]

#: Methods that a class may override, to be run at the site.
HOOKS = ("preprocess", "postprocess", "handle_error", "handle_timeout", "shell_preamble")
#: Set while a file of a site is imported: its classes need not name the site.
_implied_site: ContextVar[int | None] = ContextVar("site of the file", default=None)


class ApplicationDefinition:
    """What jobs of one application run: a ``command_template``, or a ``run`` method.

    Instances exist at the site only, one for each job and step: ``self.job`` is the job.
    """

    #: Where its jobs run: id, name, or Site.
    site: ClassVar["int | str | Site"]
    #: ``{{ name }}`` is a parameter, as one word of the shell; all else is live shell.
    command_template: ClassVar[str]
    #: Interpreter that runs its methods; '': that of the launcher or agent.
    python_exe: ClassVar[str] = ""
    environment_variables: ClassVar[Mapping[str, str]] = {}
    #: Name -> AppParameter, or a dict of required, default, help.
    parameters: ClassVar[Mapping[str, Any]] = {}
    #: Slot -> TransferSlot, or a dict of its fields.
    transfers: ClassVar[Mapping[str, Any]] = {}
    #: Patterns of files that are deleted when a job has finished.
    cleanup_files: ClassVar[list[str]] = []

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if is_reading():
            return
        if not hasattr(cls, "site"):
            implied = _implied_site.get()
            if implied is None:
                raise DefinitionError(f'{cls.__name__} names no site: write `site = "NAME"` in its body.')
            cls.site = implied
        template, run = getattr(cls, "command_template", None), getattr(cls, "run", None)
        if (template is None) == (run is None):
            raise DefinitionError(
                f"{cls.__name__} has {'both' if run else 'neither'} a command_template "
                f"{'and' if run else 'nor'} a run method: one of them says what its jobs do."
            )
        if run is None:
            cls.command_template = cls.command_template.strip()
            cls.parameters = template_parameters(cls.command_template, cls.parameters)
        else:
            cls.parameters = signature_parameters(run)
        cls.transfers = transfer_slots(cls.transfers)
        check_patterns(cls.__name__, cls.cleanup_files)

    def __init__(self, job: Job) -> None:
        self.job = job

    # -- what a class may override -------------------------------------------------------------------

    def preprocess(self) -> None:
        """Run before the job; by default it becomes PREPROCESSED."""

    def postprocess(self) -> None:
        """Run after the job has ended well; by default it becomes POSTPROCESSED."""

    def handle_error(self) -> None:
        """Run after the job has failed; by default it becomes FAILED."""

    def handle_timeout(self) -> None:
        """Run after the job ran out of time; by default it becomes RESTART_READY."""

    def shell_preamble(self) -> "str | list[str] | None":
        """Return shell commands to run before the job, in the same shell."""
        return None

    # -- how a job is started ------------------------------------------------------------------------

    def get_arg_str(self) -> str:
        """Return the command line of the job; raises UsageError when a parameter is missing."""
        defaults = {
            name: str(rule["default"])
            for name, rule in self.parameters.items()
            if rule.get("default") is not None
        }
        given = {name: str(value) for name, value in self.job.get_parameters().items()}
        return fill_in(self.command_template, {**defaults, **given})

    def get_environ_vars(self) -> dict[str, str]:
        """Return the environment of the job, apart from what its launcher adds."""
        environ = {**os.environ, **{name: str(value) for name, value in self.environment_variables.items()}}
        environ["BALSAM_JOB_ID"] = str(self.job.id)
        if self.job.threads_per_rank > 1:
            environ["OMP_NUM_THREADS"] = str(self.job.threads_per_rank)
        return environ

    # -- what a script does with the class -----------------------------------------------------------

    @classmethod
    def overridden_hooks(cls) -> list[str]:
        """Return the names of the hooks that the class overrides."""
        return [name for name in HOOKS if getattr(cls, name) is not getattr(ApplicationDefinition, name)]

    @classmethod
    def resolve_site_id(cls) -> int:
        """Return the id of its site; raises Site.DoesNotExist."""
        if isinstance(cls.site, Site):
            return cls.site.id
        return cls.site if isinstance(cls.site, int) else Site.objects.get(name=cls.site).id

    @classmethod
    def sync(cls, rename_from: str | None = None) -> None:
        """Make the application known to its site, or tell the site what has changed; the id stays.

        With ``rename_from`` the application of that name gets the name of this class.
        """
        cls.__app_id__ = syncing.sync(cls, rename_from)

    @classmethod
    def submit(
        cls,
        workdir: str,
        tags: Mapping[str, str] | None = None,
        data: Mapping[str, Any] | None = None,
        *,
        num_nodes: int = 1,
        ranks_per_node: int = 1,
        threads_per_rank: int = 1,
        threads_per_core: int = 1,
        launch_params: Mapping[str, str] | None = None,
        gpus_per_rank: float = 0.0,
        node_packing_count: int = 1,
        wall_time_min: int = 0,
        parent_ids: "set[int] | list[int] | tuple[int, ...]" = (),
        transfers: Mapping[str, Any] | None = None,
        save: bool = True,
        **app_params: Any,
    ) -> Job:
        """Make a job of this application, which is synced at its first; return it."""
        if "__app_id__" not in cls.__dict__:
            cls.sync()
        job = Job(
            workdir,
            cls.__app_id__,
            tags=dict(tags or {}),
            data=dict(data or {}),
            num_nodes=num_nodes,
            ranks_per_node=ranks_per_node,
            threads_per_rank=threads_per_rank,
            threads_per_core=threads_per_core,
            launch_params=dict(launch_params or {}),
            gpus_per_rank=gpus_per_rank,
            node_packing_count=node_packing_count,
            wall_time_min=wall_time_min,
            parent_ids=list(parent_ids),
            transfers=dict(transfers or {}),
            parameters=app_params,
        )
        if save:
            job.save()
        return job

    #: Set by `sync`.
    __app_id__: ClassVar[int]

    @classmethod
    def load_by_id(cls, app_id: int) -> "type[ApplicationDefinition]":
        """Return a class for an application that is known to its site: to submit jobs, not to run them.

        Made of what the site knows; none of the application's own code is run.
        """
        return class_of(App.objects.get(id=app_id))

    @classmethod
    def load_by_name(cls, name: str, site_name: str | None = None) -> "type[ApplicationDefinition]":
        """Return a class for the application of that name; see `load_by_id`."""
        return class_of(App.objects.get(name=name, **({"site_name": site_name} if site_name else {})))

    @classmethod
    def load_by_site(cls, site: "int | str | Site") -> "dict[str, type[ApplicationDefinition]]":
        """Return classes for all applications of a site by their names; see `load_by_id`."""
        site_id = site.id if isinstance(site, Site) else site
        key = "site_id" if isinstance(site_id, int) else "site_name"
        return {app.name: class_of(app) for app in App.objects.filter(**{key: site_id})}


def class_of(app: App) -> type[ApplicationDefinition]:
    """Make a class of what a site knows of an application."""
    body: dict[str, Any] = {
        "__doc__": app.description or None,
        "site": app.site_id,
        "environment_variables": app.environment_variables,
        "transfers": app.transfers,
        "cleanup_files": app.cleanup_files,
    }
    if app.command_template:
        body |= {"command_template": app.command_template, "parameters": app.parameters}
    else:
        body["run"] = _run_elsewhere
    made: type[ApplicationDefinition] = type(app.name, (ApplicationDefinition,), body)
    made.parameters = app.parameters
    made.sync = classmethod(_refuse_sync)  # type: ignore[assignment]
    made.__app_id__ = app.id
    return made


def _run_elsewhere(self: ApplicationDefinition) -> None:
    raise DefinitionError(f"{type(self).__name__} was loaded from its site, and runs only there.")


def _refuse_sync(cls: type[ApplicationDefinition], rename_from: str | None = None) -> None:
    raise DefinitionError(f"{cls.__name__} was loaded from its site: change the class where it is written.")


@contextmanager
def implied_site(site_id: int) -> "Iterator[None]":
    """Let classes name no site: theirs is the one whose files are being imported."""
    token = _implied_site.set(site_id)
    try:
        yield
    finally:
        _implied_site.reset(token)
