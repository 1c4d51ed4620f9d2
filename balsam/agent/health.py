"""What the service says of itself: how each loop goes, and what there is to tell users."""

import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

__all__ = ["Board"]


@dataclass(slots=True)
class _LoopHealth:
    """The account of one loop; times are ISO-8601 in UTC, by this host's clock."""

    name: str
    cycles: int = 0
    last_completed: str = ""
    failures: int = 0
    failures_in_a_row: int = 0
    last_error: str = ""
    last_failed: str = ""


class Board:
    """Written by loops in their threads, read by the one that stores it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loops: dict[str, _LoopHealth] = {}
        self._facts: dict[str, Any] = {}
        #: Called, from any thread, when there is news that users may wait for.
        self.on_news: Callable[[], None] = lambda: None

    def completed(self, loop: str) -> None:
        """Note a cycle that went well."""
        with self._lock:
            health = self._health(loop)
            is_news = health.failures_in_a_row > 0 or not health.cycles
            health.cycles += 1
            health.last_completed = _now()
            health.failures_in_a_row = 0
        if is_news:
            self.on_news()

    def failed(self, loop: str, error: str) -> int:
        """Note a cycle that failed; return how many did so in a row."""
        with self._lock:
            health = self._health(loop)
            health.failures += 1
            health.failures_in_a_row += 1
            health.last_error, health.last_failed = error, _now()
            in_a_row = health.failures_in_a_row
        self.on_news()
        return in_a_row

    def say(self, **facts: Any) -> None:
        """Set facts for users: plain data, as JSON knows it."""
        with self._lock:
            is_news = any(self._facts.get(name) != fact for name, fact in facts.items())
            self._facts.update(facts)
        if is_news:
            self.on_news()

    def document(self) -> dict[str, Any]:
        """Return everything, as plain data."""
        with self._lock:
            loops = [asdict(health) for health in self._loops.values()]
            return {**self._facts, "loops": loops}

    def _health(self, loop: str) -> _LoopHealth:
        return self._loops.setdefault(loop, _LoopHealth(loop))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
