"""The result of one benchmark, and its line of JSON."""

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """What was measured, with the floor of the same run, and whether the goal is reached (None: no goal).

    ``ratio`` compares the first measure with its floor, as ``goal`` says. Names of values end in their unit.
    """

    name: str
    size: int
    measured: dict[str, float]
    floor: dict[str, float]
    ratio: float
    goal: str = ""
    is_reached: bool | None = None

    def to_line(self) -> str:
        """Return the line that is printed."""
        return json.dumps(
            {
                "benchmark": self.name,
                "n": self.size,
                **{name: rounded(value) for name, value in self.measured.items()},
                "floor": {name: rounded(value) for name, value in self.floor.items()},
                "ratio": rounded(self.ratio),
                "goal": self.goal,
                "reached": self.is_reached,
            }
        )


def rounded(value: float) -> float:
    """Keep four digits that mean something."""
    return float(f"{value:.4g}")
