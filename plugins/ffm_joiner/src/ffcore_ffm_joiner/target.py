"""What is wanted of a mapping: to be no worse than known ones allow, within the tolerance asked for."""

from __future__ import annotations

import math

import attrs
import numpy as np

from ffcore.plugin import NOT_WORSE, MapperOptions, Metric
from ffcore_ffm_joiner.kernels import Floats, Mask


@attrs.frozen(eq=False)
class Target:
    """Tells bounds that may lead to a wanted mapping from those that cannot.

    Exact: a bound that some known mapping meets, within the tolerance, in all objectives, belongs to
    mappings that are no better than that one by more than the tolerance, and known mappings are among the
    results. Only known mappings are compared with, so that tolerances do not add up from step to step.
    """

    slack: float = 1.0  # a known mapping this many times worse than a bound meets it
    product: bool = False  # only energy times latency counts
    usage: bool = False  # what memories take counts too, which no bound tells: every mapping may be wanted
    known: Floats = attrs.field(factory=lambda: np.zeros((0, 2)))  # energy and latency, a Pareto set

    @staticmethod
    def of(options: MapperOptions) -> Target:
        """What the metrics and the tolerance ask for, nothing known yet.

        Within a factor of 1 + tolerance in each metric: energy and latency may each be the root of that away where
        their product is asked for beside them.
        """
        allowed = 1 + options.objective_tolerance
        product = options.metrics == Metric.ENERGY_DELAY_PRODUCT
        if Metric.ENERGY_DELAY_PRODUCT in options.metrics and not product:
            allowed = math.sqrt(allowed)
        return Target(allowed, product, Metric.RESOURCE_USAGE in options.metrics)

    def with_known(self, points: Floats) -> Target:
        """The target with more known mappings."""
        points = np.unique(np.concatenate([self.known, points]), axis=0)
        latency = np.minimum.accumulate(points[:, 1]) if len(points) else points[:, 1]
        return attrs.evolve(self, known=points[np.concatenate([[True], latency[1:] < latency[:-1]])[: len(points)]])

    @property
    def best(self) -> Floats:
        """Points such that a bound no less than one of them in both is not wanted."""
        if self.product or self.usage:
            return np.zeros((0, 2))
        return np.ascontiguousarray(self.known / (self.slack * NOT_WORSE))

    @property
    def most(self) -> float:
        """Product of energy and latency that no bound of a wanted mapping exceeds."""
        if not self.product or not len(self.known):
            return np.inf
        return float((self.known[:, 0] * self.known[:, 1]).min()) / (self.slack * NOT_WORSE)

    def open(self, energy: Floats, latency: Floats) -> Mask:
        """Which of these bounds may belong to wanted mappings."""
        result = np.isfinite(energy)
        if self.product:
            with np.errstate(invalid="ignore"):
                return np.asarray(result & (energy * latency <= self.most))
        for e, t in self.best:
            result &= (energy < e) | (latency < t)
        return result
