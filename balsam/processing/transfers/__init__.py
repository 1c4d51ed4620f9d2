"""Move files into working directories and out of them."""

from balsam.processing.transfers.mover import Mover, MoverOptions

__all__ = ["Mover", "MoverOptions"]
