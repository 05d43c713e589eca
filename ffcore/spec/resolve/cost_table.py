"""What every component costs, each number with its source: for people who check a spec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from ffcore.errors import ErrorCollector
from ffcore.spec.architecture import Component, Hardware
from ffcore.spec.convert import convert
from ffcore.spec.resolve.costs import CostBook, missing_costs
from ffcore.spec.resolve.job import Resolution
from ffcore.spec.resolve.tree import Place, check_tree
from ffcore.spec.source import load_text
from ffcore.spec.workload import Workload

if TYPE_CHECKING:
    from ffcore.spec.resolve.costs import CostHook
    from ffcore.spec.resolve.path import EinsumArch
    from ffcore.spec.spec import Spec


STAND_IN = """
rank_sizes: {M: 64, N: 64, K: 64}
bits_per_value: {All: 8}
einsums:
- {einsum: "O[m, n] = I[m, k] * W[k, n]", renames: {input: I, weight: W, output: O}}
- {einsum: "P[m, n] = O[m, n]", renames: {input: O, weight: Nothing, output: P}}
"""
"""What an architecture is priced for where no workload is given: a product of matrices and an elementwise Einsum."""


@attrs.frozen
class ComponentCosts:
    """Costs of one component, of one instance where nothing else is said; numbers that nothing gives are None."""

    name: str
    component_class: str
    instances: int  # in the whole chip
    area: float | None  # m²
    leak_power: float | None  # W
    energy: Mapping[str, float | None]  # action -> J
    throughput: Mapping[str, float | None]  # action -> 1/s
    sources: Mapping[str, str]  # "energy of read", "area", ... -> who gave it


def cost_table(spec: Spec, cost_model: CostHook | None) -> tuple[ComponentCosts, ...]:
    """Costs of all components, as the first Einsum that they are enabled for sees them (`STAND_IN`, if there is none).

    Raises one SpecError that lists every number that is missing, and everything else that is wrong.
    """
    errors = ErrorCollector()
    spec = spec.copy()
    if not spec.workload.einsums:
        spec.workload = _stand_in()
    resolution = Resolution(spec, CostBook(), cost_model)
    check_tree(spec.arch, errors)
    workload = resolution.evaluate(errors)
    errors.raise_if_any()
    found: dict[str, ComponentCosts] = {}
    for einsum in workload.einsums:
        arch = resolution.arch(einsum.name)
        for name, place in arch.places.items():
            if name in found or not isinstance(place.node, Hardware):
                continue
            with errors.catch():
                if arch.enabled(place):
                    found[name] = _costs(arch, place, errors)
    errors.raise_if_any()
    order = {name: index for index, name in enumerate(resolution.arch(workload.einsums[0].name).places)}
    return tuple(sorted(found.values(), key=lambda costs: order[costs.name]))


def _stand_in() -> Workload:
    errors = ErrorCollector()
    made = convert(Workload, load_text(STAND_IN, "<stand-in workload>"), errors, "workload")
    assert made is not None
    return made


def _costs(arch: EinsumArch, place: Place, errors: ErrorCollector) -> ComponentCosts:
    fields = arch.fields(place, None)
    costs = arch.costs(fields)
    for problem in missing_costs(fields, costs):
        errors.add(problem.message, problem.position, problem.suggestion)
    node = place.node
    return ComponentCosts(
        name=node.name,
        component_class=(node.component_class or "") if isinstance(node, Component) else "",
        instances=arch.instances(place),
        area=costs.area,
        leak_power=costs.leak_power,
        energy=costs.energy,
        throughput=costs.throughput,
        sources=costs.sources,
    )
