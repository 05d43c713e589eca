"""What a job minimises: the one place that decides about energy, latency and their product."""

from __future__ import annotations

import attrs

from ffcore.errors import FFError
from ffcore.spec.problem import Metric

COMPARED = Metric.ENERGY | Metric.LATENCY | Metric.ENERGY_DELAY_PRODUCT
"""Metrics that mappings can be compared by."""


def check_metrics(metrics: Metric) -> None:
    """Raise ``FFError`` for a metric that mappings are not compared by."""
    unknown = metrics & ~COMPARED
    if unknown:
        known = "energy, latency, energy_delay_product"
        raise FFError(f"mappings cannot be optimised for {unknown.name}; metrics are {known}")


@attrs.frozen
class Objectives:
    """The objectives that metrics stand for, and the one number by which mappings are ranked.

    That number is energy or latency where it alone is asked for, and otherwise their product: energy and latency
    together ask for the Pareto set, on which the least product lies too.
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
        return self.energy and self.latency

    @property
    def needed(self) -> Metric:
        """The objectives that partial mappings keep apart: the product needs both."""
        none = Metric(0)
        return (Metric.ENERGY if self.energy else none) | (Metric.LATENCY if self.latency else none)

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

    def vector(self, energy: float, latency: float) -> tuple[float, ...]:
        """Each objective asked for, in the order of `Metric`; a mapping dominates by these."""
        values = {Metric.ENERGY: energy, Metric.LATENCY: latency, Metric.ENERGY_DELAY_PRODUCT: energy * latency}
        return tuple(value for metric, value in values.items() if metric in self.metrics)
