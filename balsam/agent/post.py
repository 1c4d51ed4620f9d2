"""What a service serves: the database directory with its queue policy, or a site with its settings."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from balsam.agent.control import check_is_free
from balsam.agent.health import Board
from balsam.agent.launching import Launching
from balsam.agent.policy_watch import PolicyWatch
from balsam.agent.supervision import Loop
from balsam.agent.sync import SchedulerSync
from balsam.batch import Desk, open_desk
from balsam.client import Client
from balsam.config import UserSettings, user_settings
from balsam.processing.transfers import MoverOptions
from balsam.schemas.sessions import Selection

__all__ = ["DatabasePost", "Post"]


class Post(Protocol):
    """Where a service stands, and what it does there."""

    #: For the log.
    label: str
    #: Whose ``log`` directory is written to.
    directory: Path
    #: Whose hooks and staging are done, how many at once; 0: none.
    selection: Selection
    num_workers: int
    #: How files are moved; None: not at all.
    mover_options: MoverOptions | None
    #: Seconds between two looks at the scheduler while a batch job is live.
    sync_period_sec: float

    def check_is_free(self, client: Client) -> None:
        """Raise BalsamError, with where it runs, when another service that is not dead stands here."""

    def settings(self) -> UserSettings:
        """Return the settings."""

    def open_desk(self, client: Client) -> Desk:
        """Return the desk for the scheduler; raises ConfigError."""

    def prepare(self, board: Board) -> None:
        """Read what can be wrong, once the log is open; raises ConfigError, UsageError."""

    def loops(
        self, client: Client, sync: SchedulerSync, board: Board, on_change: Callable[[], None]
    ) -> Sequence[Loop]:
        """Make the loops that submit, for one session; ``on_change`` is called when they have to look."""


class DatabasePost:
    """The database directory: launches are planned by the queue policy."""

    num_workers = 5
    sync_period_sec = 10.0

    def __init__(self, db_path: Path) -> None:
        self.directory = db_path
        self.label = f"database {db_path}"
        self.selection = Selection()
        self.mover_options: MoverOptions | None = MoverOptions(selection=self.selection)
        self._policy_watch: PolicyWatch

    def check_is_free(self, client: Client) -> None:
        """Raise BalsamError when the database has a service already."""
        check_is_free(client, self.directory)

    def settings(self) -> UserSettings:
        """Return the user's settings as they are now."""
        return user_settings()

    def open_desk(self, client: Client) -> Desk:
        """Return the desk for the database."""
        return open_desk(self.directory, client)

    def prepare(self, board: Board) -> None:
        """Read the queue policy."""
        self._policy_watch = PolicyWatch(board)

    def loops(
        self, client: Client, sync: SchedulerSync, board: Board, on_change: Callable[[], None]
    ) -> Sequence[Loop]:
        """Watch the policy, and submit by it."""
        self._policy_watch.on_change = on_change
        launching = Launching(client, lambda: self.open_desk(client), sync, self._policy_watch, board)
        return [self._policy_watch, launching]
