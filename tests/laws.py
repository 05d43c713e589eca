"""Laws of their own that tests search under; docs/plugins.md builds the first."""

from __future__ import annotations

import attrs
import numpy as np

from ffcore.model.law import Law
from ffcore.spec.problem import Component, Price, Tensor


@attrs.frozen
class RowBuffers(Law):
    """A memory whose accesses open rows: each transfer activates as many as its tile touches."""

    row: float  # bits
    activation: float  # J
    memories: frozenset[str] = frozenset({"MainMemory"})

    def price(self, component: Component, action: str, tensor: Tensor) -> Price | None:
        """Rows touched times activation, and bits times what the architecture says."""
        record = component.action(action)
        if component.name not in self.memories or record is None:
            return None
        calls = 1 / record.values_per_action[tensor.name]

        def price(tile: np.ndarray, transfers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            rows = np.ceil(tile * component.width(tensor) / self.row)
            return rows * self.activation + tile * calls * record.energy, tile * calls

        return price


@attrs.frozen
class Packets(Law):
    """Hops in whole packets: a transfer of any size takes so many of so many bits, each with a header."""

    payload: float  # bits
    header: float  # J

    def price(self, component: Component, action: str, tensor: Tensor) -> Price | None:
        """Packets times (header and payload); each packet is one action of the link."""
        record = component.action(action)
        if action != "hop" or record is None:
            return None
        width = component.width(tensor)

        def price(tile: np.ndarray, transfers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            packets = np.ceil(tile * width / self.payload)
            return packets * (self.header + self.payload * record.energy), packets

        return price


@attrs.frozen
class Odd(Law):
    """Prices by tile, transfers, action and component all at once, energy and time: what no real part does."""

    seed: int

    def price(self, component: Component, action: str, tensor: Tensor) -> Price | None:
        """None for a third of all accesses."""
        record = component.action(action)
        number = (self.seed + len(component.name) + 3 * len(action) + 7 * len(tensor.name)) % 6
        if record is None or number < 2:
            return None
        each = record.energy + 0.1 * number

        def price(tile: np.ndarray, transfers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return each * np.sqrt(tile) * (1 + 1 / transfers), np.ceil(tile / (1 + number)) + 0.5

        return price
