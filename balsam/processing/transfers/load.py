"""The transfers one mover holds, by how far they are: claimed, under way, done but not yet reported.

No threads, no database; times are monotonic. What was claimed stays held until its result has arrived.
"""

import time
from collections import deque
from collections.abc import Collection, Iterable, Sequence

from balsam.processing.transfers.outcomes import handed_back
from balsam.processing.transfers.planning import Plan, batches
from balsam.schemas.transfers import TransferResult, TransferSpec
from balsam.states import TransferState

__all__ = ["TransferLoad"]

#: Results that are told at once; fewer wait for others.
_ENOUGH = 200


class TransferLoad:
    """Bookkeeping of transfers; the caller sees to it that one thread at a time is in it."""

    def __init__(self, concurrency: int, batch_size: int, query_limit: int) -> None:
        self._concurrency = concurrency
        self._batch_size = batch_size
        self._query_limit = query_limit
        self._held: dict[int, TransferSpec] = {}
        self._waiting: deque[list[Plan]] = deque()
        self._results: deque[TransferResult] = deque()
        self._progress: dict[int, TransferResult] = {}
        #: Transfers of which a note is among the results.
        self._noted: set[int] = set()
        self._is_closed = False
        #: Since when there are results to be told, or when others were told last.
        self.results_since = 0.0

    @property
    def is_closed(self) -> bool:
        """Say whether nothing is begun any more."""
        return self._is_closed

    @property
    def room(self) -> int:
        """How many transfers to claim now: none while there are batches enough."""
        if self._is_closed or len(self._waiting) >= self._concurrency:
            return 0
        return max(0, self._query_limit - len(self._held))

    @property
    def num_batches(self) -> int:
        """Batches that nobody has begun."""
        return len(self._waiting)

    @property
    def has_results(self) -> bool:
        """Something is to be reported."""
        return bool(self._results)

    @property
    def has_progress(self) -> bool:
        """More has come of something since that was told last."""
        return bool(self._progress)

    @property
    def is_telling_due(self) -> bool:
        """Say whether results need not wait for others."""
        count = len(self._results)
        return count >= _ENOUGH or count == len(self._held) or self._is_closed

    def held_ids(self) -> list[int]:
        """Return what is claimed, under way or unreported."""
        return list(self._held)

    def holds(self, item_id: int, attempt: int) -> bool:
        """Say whether this start of a transfer is still ours: nobody has cancelled it, nor begun it anew."""
        spec = self._held.get(item_id)
        return spec is not None and spec.attempt == attempt

    def hold(self, specs: Iterable[TransferSpec]) -> None:
        """Take over claimed transfers."""
        self._held |= {spec.item_id: spec for spec in specs}

    def drop(self, item_ids: Collection[int]) -> None:
        """Forget transfers that nobody wants; those under way are the business of who has begun them."""
        for item_id in item_ids:
            self._held.pop(item_id, None)
        left = ([one for one in batch if one.spec.item_id not in item_ids] for batch in self._waiting)
        self._waiting = deque(batch for batch in left if batch)

    def add(self, planned: Iterable[Plan | TransferResult]) -> None:
        """Have what was planned wait to be begun; what cannot be done has its result already."""
        plans = []
        for one in planned:
            if isinstance(one, TransferResult):
                self._have_told([one])
            else:
                plans.append(one)
        if self._is_closed:
            self._have_told(handed_back(one.spec, "") for one in plans)
        else:
            self._waiting += batches(plans, self._batch_size)

    def begin_next(self) -> list[Plan] | None:
        """Begin the batch that has waited longest; None when none waits."""
        return self._waiting.popleft() if self._waiting else None

    def keep(self, result: TransferResult) -> None:
        """Note what became of a transfer."""
        if self.holds(result.item_id, result.attempt):
            self._have_told([result])
            self._progress.pop(result.item_id, None)

    def keep_progress(self, result: TransferResult) -> None:
        """Note how much has come of a transfer; of what is noted before it is told, the last counts."""
        if self.holds(result.item_id, result.attempt):
            self._progress[result.item_id] = result

    def take_progress(self) -> list[TransferResult]:
        """Return what was noted of progress, and forget it."""
        taken = list(self._progress.values())
        self._progress.clear()
        return taken

    def take_results(self, limit: int) -> list[TransferResult]:
        """Return the oldest results; each stays until it is `reported`."""
        return [self._results[n] for n in range(min(limit, len(self._results)))]

    def note(self, notes: Sequence[TransferResult]) -> None:
        """Have it reported what others do of transfers, which are under way still."""
        self._noted |= {note.item_id for note in notes}
        self._have_told(notes)

    def has_note_of(self, item_ids: Iterable[int]) -> bool:
        """Say whether a note of some of these is still to be reported."""
        return not self._noted.isdisjoint(item_ids)

    def reported(self, results: Iterable[TransferResult], late: Collection[str]) -> None:
        """Forget the results that were taken, which have arrived; ``late``: what is not held any more."""
        for result in results:
            self._results.popleft()
            self._noted.discard(result.item_id)
            is_over = result.state != TransferState.ACTIVE or str(result.item_id) in late
            if is_over and self.holds(result.item_id, result.attempt):
                del self._held[result.item_id]
        self.results_since = time.monotonic()

    def put_off(self, results: list[TransferResult]) -> None:
        """Have the results that were taken, and could not be reported, wait behind the others."""
        self._results.rotate(-len(results))

    def close(self) -> None:
        """Begin nothing any more: what waits is handed back."""
        self._is_closed = True
        while self._waiting:
            self._have_told(handed_back(one.spec, "") for one in self._waiting.popleft())

    def _have_told(self, results: Iterable[TransferResult]) -> None:
        if not self._results:
            self.results_since = time.monotonic()
        self._results += results

    def abandon(self) -> None:
        """Close, and keep nothing: nobody takes it any more."""
        self.close()
        self._held.clear()
        self._results.clear()
        self._progress.clear()
        self._noted.clear()
