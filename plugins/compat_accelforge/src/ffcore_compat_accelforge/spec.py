"""Specs with the calls and look-ups that scripts for AccelForge use."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ffcore import plugin
from ffcore.plugin import architecture, computes_of, evaluate_mapping, map_workload_to_arch, rank_values, workload
from ffcore_compat_accelforge.einsums import Einsum as Einsum
from ffcore_compat_accelforge.einsums import Names, named_accesses
from ffcore_compat_accelforge.einsums import TensorAccess as TensorAccess

if TYPE_CHECKING:
    from ffcore_compat_accelforge.mappings import Mappings

_MISSING = object()
_LEAST = """
arch:
  nodes:
  - !Memory
    name: Memory
    size: inf
    tensors: {keep: All}
    actions: [{name: read, energy: 0, throughput: inf}, {name: write, energy: 0, throughput: inf}]
  - !Compute {name: Compute, actions: [{name: compute, energy: 0, throughput: inf}]}
"""
N = TypeVar("N", bound=architecture.ArchNode)


class Arch(architecture.Arch):
    """An architecture whose nodes are found by name."""

    @classmethod
    def from_yaml(cls, *files: Any, top_key: str | None = "arch", **options: Any) -> Arch:
        """The architecture that stands under ``top_key`` of the files."""
        spec = _part_from_yaml(files, "arch", top_key, options)
        return spec.arch.recast(cls)

    def __getitem__(self, name: str) -> Any:
        """The node of that name. Raises SpecError where there is none."""
        return self.nodes[name]

    def find(self, name: str, default: Any = _MISSING) -> Any:
        """The node of that name, or the default. Raises ValueError where there is neither."""
        named = {node.name: node for node in architecture.walk(self.nodes)}
        if name in named:
            return named[name]
        if default is _MISSING:
            raise ValueError(f"there is no architecture node {name!r}")
        return default

    def find_spatial(self, name: str, return_spatialable: bool = False) -> Any:
        """The first spatial dimension of that name, or (its node, it). Raises ValueError where there is none."""
        for node in architecture.walk(self.nodes):
            for dimension in node.spatial if isinstance(node, architecture.Container) else ():
                if dimension.name == name:
                    return (node, dimension) if return_spatialable else dimension
        raise ValueError(f"there is no spatial dimension {name!r}")

    def get_nodes_of_type(self, types: type[N] | tuple[type[N], ...]) -> Iterator[N]:
        """Nodes of one type or several, in file order."""
        return (node for node in architecture.walk(self.nodes) if isinstance(node, types))

    @property
    def per_component_total_area(self) -> dict[str, float]:
        """Component -> m^2 of all its instances."""
        return dict(self._owner().areas())

    @property
    def total_area(self) -> float:
        """m^2 of all components."""
        return sum(self.per_component_total_area.values())

    @property
    def per_component_total_leak_power(self) -> dict[str, float]:
        """Component -> W of all its instances."""
        return dict(self._owner().leak_powers())

    @property
    def total_leak_power(self) -> float:
        """W of all components."""
        return sum(self.per_component_total_leak_power.values())

    def _owner(self) -> plugin.Spec:
        owner: plugin.Spec | None = self._spec
        return owner if owner is not None else plugin.Spec(arch=self)


class Workload(workload.Workload):
    """A workload that names its Einsums and tensors."""

    @classmethod
    def from_yaml(cls, *files: Any, top_key: str | None = "workload", **options: Any) -> Workload:
        """The workload that stands under ``top_key`` of the files."""
        spec = _part_from_yaml(files, "workload", top_key, options)
        return _named(spec.workload)

    @property
    def einsum_names(self) -> list[str]:
        """Einsums in the order in which they run."""
        return [einsum.name for einsum in self.einsums]

    @property
    def tensor_names(self) -> Names:
        """Tensors of all Einsums, each once."""
        return Names(access.name for einsum in self.einsums for access in einsum.tensor_accesses)

    @property
    def tensor_names_used_in_multiple_einsums(self) -> Names:
        """Tensors that more than one Einsum touches."""
        return Names(name for name in self.tensor_names if len(self.einsums_with_tensor(name)) > 1)

    @property
    def rank_variables(self) -> Names:
        """Rank variables of all Einsums, each once."""
        return Names(v for einsum in self.einsums for v in einsum.rank_variables)

    def n_computes(self, einsum_name: str | None = None) -> float:
        """Computes of one Einsum, or of all."""
        return sum(computes_of(e) for e in self._problem().einsums if einsum_name in (None, e.name))

    def get_tensor_size(self, name: str) -> int:
        """Values of a tensor. Raises SpecError for one that is not there."""
        for einsum in self._problem().einsums:
            if name in einsum.tensor:
                return einsum.tensor[name].whole(einsum.bounds)
        raise self._lacks(name)

    def get_tensor_shape(self, name: str) -> dict[str, int]:
        """Rank -> values of a tensor. Raises SpecError for one that is not there."""
        for einsum, own in zip(self._problem().einsums, self.einsums, strict=True):
            access = next((a for a in own.tensor_accesses if a.name == name), None)
            if access is not None:
                sizes = (rank_values(rank.terms, einsum.bounds) for rank in einsum.tensor[name].ranks)
                return dict(zip(access.projection, sizes, strict=True))
        raise self._lacks(name)

    def _lacks(self, name: str) -> plugin.SpecError:
        return plugin.SpecError.one(
            f"the workload has no tensor {name!r}", None, plugin.suggest(name, self.tensor_names)
        )

    def _problem(self) -> plugin.Problem:
        owner: plugin.Spec | None = self._spec
        if owner is not None and owner.arch.nodes:
            return owner.problem_without_costs()
        # Problems are of an architecture; sizes depend on none, so the least one does.
        sized = Spec(workload=copy.deepcopy(self)) if owner is None else owner.copy()
        sized.arch = Spec.from_string(_LEAST).arch
        return sized.problem_without_costs()

    def einsums_with_tensor(self, name: str) -> list[workload.Einsum]:
        """Einsums that read or write a tensor."""
        return [einsum for einsum in self.einsums if name in {access.name for access in einsum.tensor_accesses}]

    def einsums_with_tensor_as_input(self, name: str) -> list[workload.Einsum]:
        """Einsums that read a tensor."""
        return [e for e in self.einsums if any(a.name == name and not a.output for a in e.tensor_accesses)]

    def einsums_with_tensor_as_output(self, name: str) -> list[workload.Einsum]:
        """Einsums that write a tensor."""
        return [e for e in self.einsums if any(a.name == name and a.output for a in e.tensor_accesses)]

    def accesses_for_tensor(self, name: str) -> list[workload.TensorAccess]:
        """All accesses of a tensor, in the order of the Einsums."""
        return [access for einsum in self.einsums for access in einsum.tensor_accesses if access.name == name]


class Spec(plugin.Spec):
    """A spec with the calls of AccelForge; all else is as in `ffcore.Spec`."""

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.arch, Arch):
            self.arch = self.arch.recast(Arch)
        self.workload = _named(self.workload)
        super().__attrs_post_init__()

    def copy(self) -> Spec:
        """An independent copy."""
        copied: Any = super().copy()
        return cast("Spec", copied)

    def map_workload_to_arch(
        self,
        einsum_names: Sequence[str] | None = None,
        one_pbar_only: bool = False,
        print_progress: bool = True,
        print_number_of_pmappings: bool = False,
        _pmapping_row_filter_function: Callable[[Any], bool] | None = None,
    ) -> Mappings:
        """The optimal mappings; of the Einsums named only, as a workload of their own. Nothing is printed."""
        from ffcore_compat_accelforge.mappings import Mappings

        spec = self
        if einsum_names is not None:
            spec = self.copy()
            spec.workload.einsums = [spec.workload.einsum(name) for name in einsum_names]
        kept = row_filter(_pmapping_row_filter_function)
        return Mappings(map_workload_to_arch(spec, pmapping_row_filter_function=kept), spec)

    def evaluate_mapping(self) -> Mappings:
        """The spec's own mapping, evaluated."""
        from ffcore_compat_accelforge.mappings import Mappings

        return Mappings(evaluate_mapping(self), self)

    def calculate_component_costs(self, *_what: object, **_which: object) -> Spec:
        """A copy in which actions, areas and leakages are the numbers that count, scales included.

        Raises SpecError that lists what is missing.
        """
        spec = self.copy()
        for costs in self.costs():
            node: Any = spec.arch.nodes[costs.name]
            parallel = node.n_parallel_instances
            if isinstance(parallel, int | float) and costs.area is not None and costs.leak_power is not None:
                node.area, node.leak_power = costs.area / parallel, costs.leak_power / parallel
                node.area_scale = node.leak_power_scale = 1
            if costs.energy:
                node.actions = [
                    {"name": action, "energy": energy, "throughput": costs.throughput[action]}
                    for action, energy in costs.energy.items()
                ]
                node.energy_scale = node.throughput_scale = node.latency_scale = 1
        return spec

    calculate_component_area_energy_latency_leak = calculate_component_costs  # its older name


def _named(found: workload.Workload) -> Workload:
    """The workload as one whose Einsums name their tensors."""
    made = found if isinstance(found, Workload) else found.recast(Workload)
    made.einsums = [e if isinstance(e, Einsum) else e.recast(Einsum) for e in made.einsums]
    for einsum in made.einsums:
        einsum.tensor_accesses = named_accesses(einsum)
    return made


def row_filter(keeps: Callable[[Any], bool] | None) -> Callable[[Any], Any] | None:
    """A filter of tables of pmappings, from one that is asked row by row."""
    return None if keeps is None else lambda table: table.apply(keeps, axis=1)


def _part_from_yaml(files: tuple[Any, ...], part: str, top_key: str | None, options: dict[str, Any]) -> plugin.Spec:
    """A spec that holds at least ``part`` of the files, which stands under ``top_key`` or is all of them."""
    from ffcore.plugin import SpecError, YamlMap, YamlScalar, read_sources

    parameters = {**(options.pop("jinja_parse_data", None) or {}), **options}
    node = read_sources(files, parameters)
    if top_key is not None:
        found = node.get(top_key)
        if found is None:
            raise SpecError.one(f"the top-level key {top_key!r} is missing", node.position)
    else:
        found = node
    key = YamlScalar(part, part, None, found.position)
    return plugin.Spec.from_node(YamlMap({part: (key, found)}, None, found.position))
