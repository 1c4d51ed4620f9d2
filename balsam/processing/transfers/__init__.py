"""Move files into working directories and out of them."""

from balsam.processing.transfers.courier import MoverOptions
from balsam.processing.transfers.mover import Mover

__all__ = ["Mover", "MoverOptions"]
