"""What a job minimises: the one place that decides about energy, latency, their product and what memories take."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ffcore.errors import FFError
from ffcore.spec.problem import Metric

COSTS = Metric.ENERGY | Metric.LATENCY | Metric.ENERGY_DELAY_PRODUCT
"""What each mapping costs, whatever the memories."""

COMPARED = COSTS | Metric.RESOURCE_USAGE
"""Metrics that mappings can be compared by."""


def check_metrics(metrics: Metric, usage: bool = False) -> None:
    """Raise ``FFError`` for a metric that mappings are not compared by; ``usage``: `RESOURCE_USAGE` is one."""
    unknown = metrics & ~(COMPARED if usage else COSTS)
    if unknown:
        known = "energy, latency, energy_delay_product" + (", resource_usage" if usage else "")
        raise FFError(f"mappings cannot be optimised for {unknown.name}; metrics are {known}")


@attrs.frozen
class Objectives:
    """The objectives that metrics stand for, and the one number by which mappings are ranked.

    That number is energy or latency where it alone is asked for, and otherwise their product: energy and latency
    together ask for the Pareto set, on which the least product lies too. Usage is an objective for each memory: the
    greatest share of it that is in use at any time.
    """

    metrics: Metric

    @classmethod
    def of(cls, metrics: Metric) -> Objectives:
        """The objectives of some metrics; those that mappings are not compared by do not count."""
        return cls(metrics & COMPARED)

    @property
    def energy(self) -> bool:
        """Does energy have to be known?"""
        return bool(self.metrics & (Metric.ENERGY | Metric.ENERGY_DELAY_PRODUCT))

    @property
    def latency(self) -> bool:
        """Does latency have to be known?"""
        return bool(self.metrics & (Metric.LATENCY | Metric.ENERGY_DELAY_PRODUCT))

    @property
    def product(self) -> bool:
        """Are mappings ranked by energy times latency?"""
        return self.energy == self.latency

    @property
    def usage(self) -> bool:
        """Is what memories take an objective?"""
        return Metric.RESOURCE_USAGE in self.metrics

    @property
    def needed(self) -> Metric:
        """The objectives that partial mappings keep apart: the product needs both."""
        none = Metric(0)
        costs = (Metric.ENERGY if self.energy else none) | (Metric.LATENCY if self.latency else none)
        return costs | (self.metrics & Metric.RESOURCE_USAGE)

    @property
    def name(self) -> str:
        """What the one number is."""
        return "energy-delay product" if self.product else "energy" if self.energy else "latency"

    @property
    def unit(self) -> str:
        """Of the one number."""
        return "J·s" if self.product else "J" if self.energy else "s"

    def score(self, energy: float, latency: float) -> float:
        """The one number, for a mapping of so many J and s."""
        return energy * latency if self.product else energy if self.energy else latency

    def vector(self, energy: float, latency: float, shares: Sequence[float] = ()) -> tuple[float, ...]:
        """Each objective asked for, in the order of `Metric`, usage last; a mapping dominates by these.

        ``shares``: of each memory, in an order of the caller's.
        """
        values = {Metric.ENERGY: energy, Metric.LATENCY: latency, Metric.ENERGY_DELAY_PRODUCT: energy * latency}
        return *(value for metric, value in values.items() if metric in self.metrics), *(shares if self.usage else ())
