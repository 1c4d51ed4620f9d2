"""Lock jobs, plan where each goes, write it: what all transitions are made of.

A `Batch` lives inside one transaction. Rows are locked first, so what is planned on them holds when it is
written.
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from balsam.core import notices, sql
from balsam.core.lifecycle import Facts, settle
from balsam.core.transitions.opening import open_transfers
from balsam.states import END_STATES, HOOK_STATES, RUNNABLE_STATES
from balsam.states import JobState as S

_CLAIMABLE = frozenset(RUNNABLE_STATES + HOOK_STATES)
#: Where jobs wait for transfers.
_DIRECTIONS = {S.READY: "in", S.POSTPROCESSED: "out"}


@dataclass(slots=True)
class Row:
    """A locked job: its state as planned so far, and as it is in the database (``stored``)."""

    job_id: uuid.UUID
    name: str
    stored: S
    state: S
    attempt: int
    session_id: int | None
    on_parent_failure: str
    facts: Facts
    held_by: int | None
    #: Its own hook has moved it and has not ended yet.
    hook_moved: bool
    site_id: int
    return_code: int | None = None
    #: What its transfers come from has changed while it waits for them.
    is_restaged: bool = False
    #: None of those it waits for is left to be done.
    is_staged: bool = False
    is_changed: bool = False

    @property
    def cute_id(self) -> str:
        """Short label for messages."""
        return f"[{self.name} | {str(self.job_id)[:8]}]"


@dataclass(slots=True)
class _Event:
    job_id: uuid.UUID
    age_sec: float
    from_state: str
    to_state: str
    cause: str
    message: str
    attempt: int


@dataclass(slots=True)
class Batch:
    """Planned moves of locked rows and the events that record them, as told by one session or by a user."""

    rows: dict[uuid.UUID, Row] = field(default_factory=dict)
    session_id: int | None = None
    #: Of jobs that come to wait for transfers, those that were done before are not done again.
    keeps_done_transfers: bool = False
    _events: list[_Event] = field(default_factory=list)

    @classmethod
    def lock(cls, job_ids: Iterable[uuid.UUID], *, session_id: int | None = None) -> "Batch":
        """Lock these jobs, in the order of their ids; unknown ones are absent from ``rows``."""
        batch = cls(session_id=session_id)
        for row in sql.fetch("lock_jobs", ids=[str(job_id) for job_id in job_ids]):
            batch.rows[row[0]] = _row(row)
        return batch

    def find(self, job_id: str) -> Row | None:
        """Return the row of an id given as text; None for one that is unknown, or no id."""
        try:
            return self.rows.get(uuid.UUID(job_id))
        except ValueError:
            return None

    def enter(self, row: Row, state: S, message: str = "", *, cause: str = "", age_sec: float = 0.0) -> None:
        """Plan that a row enters a state, which frees it unless that is RUNNING, or its hook still runs."""
        self.note(row, message, cause=cause, age_sec=age_sec, state=state)
        row.state = state
        if state in END_STATES or not (state is S.RUNNING or row.hook_moved):
            self.free(row)

    def note(
        self, row: Row, message: str, *, cause: str = "", age_sec: float = 0.0, state: S | None = None
    ) -> None:
        """Record something without moving the row (``state`` None), or the move to ``state``."""
        row.is_changed = True
        to_state = row.state if state is None else state
        self._events.append(
            _Event(row.job_id, age_sec, row.state, to_state, cause, _storable(message), row.attempt)
        )

    def free(self, row: Row) -> None:
        """Plan that nobody holds the row any more; its state stays."""
        row.session_id = None
        row.hook_moved = False
        row.is_changed = True

    def settle(self, row: Row) -> None:
        """Plan the states that follow without work."""
        for state, message in settle(row.state, row.facts):
            self.enter(row, state, message)

    def add_parents(self, row: Row, pending: int, failed: int) -> None:
        """Note how many parents are unfinished, and how many of these will never finish."""
        fails = failed if row.on_parent_failure == "fail" else 0
        waits_for = pending - failed if row.on_parent_failure == "ignore" else pending
        row.facts = replace(row.facts, pending_parents=waits_for, failed_parents=fails)
        row.is_changed = True

    def write(self) -> list[Row]:
        """Write what is planned and tell listeners; returns the rows that entered an end state."""
        changed = [row for row in self.rows.values() if row.is_changed]
        if not changed:
            return []
        events = self._events
        sql.run(
            "move_jobs",
            ids=[str(r.job_id) for r in changed],
            from_states=[r.stored.value for r in changed],
            to_states=[r.state.value for r in changed],
            sessions=[r.session_id for r in changed],
            attempts=[r.attempt for r in changed],
            timeouts=[r.facts.timeouts for r in changed],
            errors=[r.facts.errors for r in changed],
            pending=[r.facts.pending_parents for r in changed],
            return_codes=[r.return_code for r in changed],
            hook_moved=[r.hook_moved for r in changed],
            e_ids=[str(e.job_id) for e in events],
            e_ages=[e.age_sec for e in events],
            e_from=[str(e.from_state) for e in events],
            e_to=[str(e.to_state) for e in events],
            e_causes=[e.cause for e in events],
            e_messages=[e.message for e in events],
            e_attempts=[e.attempt for e in events],
            e_session=self.session_id,
        )
        self._stage(changed)
        self._tell(changed)
        return [row for row in changed if _has_ended(row)]

    def restage(self, row: Row) -> None:
        """Plan that the transfers a row waits for are made anew."""
        row.is_restaged = row.is_changed = True

    def _stage(self, changed: list[Row]) -> None:
        """Close the transfers that jobs waited for and do no more, and open those they have come to."""
        gone = [
            row
            for row in changed
            if row.stored in _DIRECTIONS and row.stored is not row.state and not row.is_staged
        ]
        if gone:
            directions = [_DIRECTIONS[row.stored] for row in gone]
            if sql.run("close_transfers", ids=[str(row.job_id) for row in gone], directions=directions):
                self.tell(notices.TRANSFERS)
        for state, direction in _DIRECTIONS.items():
            come = {
                row.job_id: row.site_id
                for row in changed
                if row.state is state
                and (row.stored is not state or row.is_restaged)
                and _waits_for(row, state)
            }
            if come:
                open_transfers(come, direction, keeps_done=self.keeps_done_transfers)

    def tell(self, topic: str) -> None:
        """Tell listeners something that concerns the sites of these jobs."""
        notices.notify((topic, row.site_id) for row in self.rows.values())

    def tell_gone(self) -> None:
        """Tell listeners that all of these jobs are deleted."""
        self.tell(notices.END)
        rows = self.rows.values()
        notices.notify((notices.lost(row.held_by), row.site_id) for row in rows if row.held_by is not None)

    def _tell(self, changed: list[Row]) -> None:
        told = set()
        for row in changed:
            if row.session_id is None and row.state in _CLAIMABLE:
                told.add((notices.WORK, row.site_id))
            if _has_ended(row):
                told.add((notices.END, row.site_id))
            if row.held_by is not None and row.held_by != self.session_id and row.session_id is None:
                told.add((notices.lost(row.held_by), row.site_id))
        if told:
            notices.notify(told)


def _waits_for(row: Row, state: S) -> bool:
    """Say whether a job in a state waits for transfers."""
    return (state is S.READY and row.facts.transfers_in) or (
        state is S.POSTPROCESSED and row.facts.stages_out
    )


def _has_ended(row: Row) -> bool:
    return row.state in END_STATES and row.stored is not row.state


def _storable(message: str) -> str:
    """A message PostgreSQL can store: no NUL, UTF-8 only, and no more than the history should hold."""
    return message[:20_000].replace("\0", "\\0").encode(errors="backslashreplace").decode()


def _row(columns: tuple[Any, ...]) -> Row:
    (job_id, name, state, attempt, session_id, pending, policy, app_known, has_pre, has_post, transfers_in,
     links_parents, stages_out, wait, on_error, on_timeout, auto_retry, timeouts, max_timeouts, errors,
     max_errors, hook_moved, site_id) = columns  # fmt: skip
    facts = _facts(
        app_known=app_known,
        has_preprocess=has_pre,
        has_postprocess=has_post,
        transfers_in=transfers_in,
        links_parents=links_parents,
        stages_out=stages_out,
        wait_for_parents=wait,
        pending_parents=pending,
        post_error_handler=on_error,
        post_timeout_handler=on_timeout,
        auto_timeout_retry=auto_retry,
        timeouts=timeouts,
        max_timeout_retries=max_timeouts,
        errors=errors,
        max_error_retries=max_errors,
    )
    state = S(state)
    return Row(
        job_id, name, state, state, attempt, session_id, policy, facts, session_id, hook_moved, site_id
    )


#: Of most jobs of a batch the facts are the same.
_facts = lru_cache(1024)(Facts)
