"""Durations, as people and schedulers write them."""

__all__ = ["human_duration"]


def human_duration(seconds: float) -> str:
    """Write a duration for people: ``0.4 s``, ``12 s``, ``3 m 12 s``, ``2 h 5 m``, ``1 d 3 h``."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    for size, unit, below, smaller in ((86400, "d", 3600, "h"), (3600, "h", 60, "m"), (60, "m", 1, "s")):
        if whole >= size:
            return f"{whole // size} {unit} {whole % size // below} {smaller}"
    return f"{whole} s"
