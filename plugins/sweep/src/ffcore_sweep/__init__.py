"""One job under every combination of some values; what points share is explored once."""

from __future__ import annotations

from ffcore_sweep.result import Sweep, SweepPoint
from ffcore_sweep.run import sweep

__all__ = ["Sweep", "SweepPoint", "sweep"]
