"""What schedulers say, as the database can keep it: their answers may hold anything."""

from dataclasses import fields, replace

from balsam.schemas.batch_jobs import BatchJobObservation

__all__ = ["storable", "storable_observation"]

#: Of a text; an error message may be a megabyte.
_MAX_CHARS = 4000
_MAX_NUMBER = 2**31 - 1
_NUMBERS = ("num_nodes", "wall_time_min")
_TEXTS = tuple(f.name for f in fields(BatchJobObservation) if f.default == "" or f.name == "scheduler_id")


def storable(text: str) -> str:
    """Return a text without what PostgreSQL cannot store, and not longer than people read."""
    return text.replace("\0", "").encode(errors="replace").decode()[:_MAX_CHARS]


def storable_observation(seen: BatchJobObservation) -> BatchJobObservation:
    """Return an observation with storable texts; numbers that are too large are unknown."""
    changes: dict[str, str | None] = {
        name: clean for name in _TEXTS if (clean := storable(getattr(seen, name))) != getattr(seen, name)
    }
    changes |= {name: None for name in _NUMBERS if not 0 <= (getattr(seen, name) or 0) <= _MAX_NUMBER}
    return replace(seen, **changes) if changes else seen  # type: ignore[arg-type]
