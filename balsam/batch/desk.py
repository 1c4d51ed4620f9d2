"""The desk: everything it takes to talk to a scheduler for one database, in one value."""

import getpass
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from balsam.client import Client
from balsam.config import SiteConfig, UserSettings, user_settings
from balsam.lib.commands import Answer, Command, run_command
from balsam.platform.scheduler import (
    Cancellation,
    History,
    Listing,
    SchedulerAdapter,
    Submission,
    SubmitRequest,
    load_scheduler,
)
from balsam.schemas.batch_jobs import BatchJobInfo

__all__ = ["Desk", "open_desk", "open_site_desk"]

_OLD_DEFAULTS = ("/usr/bin/qsub", "/usr/bin/qstat")


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """A scheduler, the database whose batch jobs it is asked for, and how commands are run."""

    client: Client
    adapter: SchedulerAdapter
    #: None where the batch jobs are a server's.
    db_path: Path | None
    settings: UserSettings
    user: str
    run: Callable[[Command], Answer] = run_command
    #: The site whose batch jobs these are, and where it is; the first one is the database directory.
    site_id: int = 1
    site_path: Path | None = None
    #: Values for the job template where a batch job has none of its own.
    optional_params: Mapping[str, str] = field(default_factory=dict)

    def is_ours(self, info: BatchJobInfo) -> bool:
        """Whether a batch job is to be looked after here: of this site, and of its scheduler."""
        return info.site_id == self.site_id and info.scheduler == self.adapter.name

    def script_of(self, info: BatchJobInfo) -> Path:
        """Return where the script of a batch job is."""
        return self.directory / "qsubmit" / f"qlaunch{info.batch_job_id}.sh"

    @property
    def directory(self) -> Path:
        """The directory of the site: the database's own for the first one."""
        found = self.site_path or self.db_path
        assert found is not None
        return found

    def ask_submit(self, request: SubmitRequest) -> tuple[Submission, str]:
        """Ask for a batch job; return what the answer means, and its words."""
        command = self.adapter.submit_command(request)
        answer = self._run(command, self.settings.SCHEDULER_SUBMIT_EXE)
        return self.adapter.parse_submit(answer), answer.words

    def ask_listing(self) -> Listing:
        """Ask for the user's batch jobs."""
        command = self.adapter.status_command(self.user)
        return self.adapter.parse_status(self._run(command, self.settings.SCHEDULER_STATUS_EXE), self.user)

    def ask_history(self, scheduler_ids: Sequence[str], since: datetime, name: str = "") -> History | None:
        """Ask accounting for these ids, or for one name; None where there is no accounting."""
        command = self.adapter.history_command(scheduler_ids, since, name, self.user)
        return None if command is None else self.adapter.parse_history(self.run(command))

    def ask_cancel(self, scheduler_id: str) -> Cancellation:
        """Ask for the end of a batch job."""
        return self.adapter.parse_cancel(self.run(self.adapter.cancel_command(scheduler_id)))

    def _run(self, command: Command, executable: str) -> Answer:
        """Run a command, of which the settings may name the executable.

        What version 0.5 wrote into every settings file, for Cobalt alone, counts only where it is meant.
        """
        is_meant = executable not in _OLD_DEFAULTS or Path(executable).name == command.argv[0]
        if executable and is_meant:
            command = replace(command, argv=[executable, *command.argv[1:]])
        return self.run(command)


def open_desk(db_path: Path, client: Client | None = None) -> Desk:
    """Return the desk for a database and the scheduler of the user's settings; raises ConfigError."""
    settings = user_settings()
    return Desk(
        client=client or Client(),
        adapter=load_scheduler(settings.SCHEDULER_CLASS),
        db_path=db_path,
        settings=settings,
        user=getpass.getuser(),
    )


def open_site_desk(config: SiteConfig, client: Client) -> Desk:
    """Return the desk for a site and its scheduler; raises ConfigError."""
    settings, scheduler = config.for_machine(), config.settings.scheduler
    return Desk(
        client=client,
        adapter=load_scheduler(settings.SCHEDULER_CLASS),
        db_path=Path(config.site_dir.database) if config.site_dir.database else None,
        settings=settings,
        user=getpass.getuser(),
        site_id=config.site_id,
        site_path=config.site_path,
        optional_params={} if scheduler is None else dict(scheduler.optional_batch_job_params),
    )
