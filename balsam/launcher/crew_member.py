"""One worker as its head sees it: the nodes it serves, its process, its link, and what it is doing."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field

from balsam.launcher.head_channel import WorkerLink
from balsam.launcher.pacing import Pacing
from balsam.launcher.run_messages import run_messages
from balsam.platform.nodes import Node
from balsam.schemas.jobs import AppCode, JobSpec

__all__ = ["CrewMember"]


@dataclass(slots=True)
class CrewMember:
    """One worker and the nodes it owns."""

    worker_id: int
    #: The first of its nodes, for messages.
    place: str
    nodes: list[Node]
    #: The worker, or on another node what has started it there.
    process: asyncio.subprocess.Process
    link: WorkerLink
    pacing: Pacing = field(default_factory=Pacing)
    #: It has room and nothing queued.
    is_starved: bool = True
    #: When it last got, started or ended something.
    last_progress: float = field(default_factory=time.monotonic)
    has_said_bye: bool = False
    #: Applications it has been told of, with their versions.
    known_apps: dict[int, int] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.worker_id} on {self.place} (pid {self.process.pid})"

    def learn(self, codes: Iterable[AppCode]) -> None:
        """Tell it of applications, unless it knows them."""
        for code in codes:
            if self.known_apps.get(code.app_id) != code.version:
                self.known_apps[code.app_id] = code.version
                self.link.send({"type": "app", "app": asdict(code)})

    def run(self, specs: list[JobSpec]) -> None:
        """Queue jobs."""
        for message in run_messages(specs):
            self.link.send(message)

    def note_progress(self, started: int, ended: int, now: float, *, is_starved: bool) -> None:
        """Take in how many jobs have started and ended."""
        self.is_starved = is_starved
        if started:
            self.pacing.note_starts(started, now)
        if started or ended:
            self.pacing.is_blocked = False
            self.last_progress = now

    def give_back(self) -> None:
        """Ask for what has not started."""
        self.link.send({"type": "give_back"})
