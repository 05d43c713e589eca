"""What the parts behind the records must be able to do: one protocol for each kind.

SI units throughout: joules, seconds, bits, m², W. Parts are made anew for each job by their record's factory
and keep no state between jobs. A part that cannot do what it is asked raises an ``ffcore.errors.FFError``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias

import attrs

from ffcore.plugin.progress import Progress

if TYPE_CHECKING:
    from ffcore.mapping.nest import Nest
    from ffcore.model.types import JointEvaluation
    from ffcore.pmappings.set import JoinedMapping, PmappingSet
    from ffcore.spec.problem import MapperOptions, Problem

RenderKind: TypeAlias = Literal["workload", "arch", "mapping", "report"]
"""What a renderer may be asked to draw."""

ArchData: TypeAlias = str | Mapping[str, Any]
"""An architecture as a plugin gives it: native YAML text with the key ``arch``, or the same as plain data, in which
``tag`` names the type of a node (``{"tag": "Memory", "name": "DRAM", ...}``), as ``Spec.to_dict`` writes it."""

SpecData: TypeAlias = ArchData
"""A spec as a loader gives it: native YAML text, or the same as plain data, with ``tag`` likewise."""


class SpecLoader(Protocol):
    """Reads spec files of another format."""

    def load(self, path: Path) -> SpecData:
        """Return the file's content (``arch``, ``workload``, ...), which is then checked like any other.

        A loader whose record says ``takes_parameters`` is also given ``parameters``: a mapping of names to what
        ``--set`` (``jinja_parse_data``) says of them.

        Raises ``SpecError`` with positions for a file that cannot be read.
        """


class Explorer(Protocol):
    """Makes pmappings: mappings of one Einsum each, to be joined."""

    def explore(
        self,
        problem: Problem,
        *,
        executor: Executor | None = None,
        progress: Progress | None = None,
        cache_dir: Path | None = None,
        einsum_names: Sequence[str] | None = None,
    ) -> PmappingSet:
        """Explore ``einsum_names`` (all by default) and return their pmappings, grouped by compatibility.

        Every Pareto-optimal pmapping of each compatibility must be there for the joined result to be exact.
        Without an executor all work is done in the calling thread; the result must not depend on the executor.
        Einsums without any come back with no rows, or are named in the set's ``without``: to say why is not a part's
        work. ``cache_dir``: a folder to keep pmappings in, for those whose record says that they do.
        """


class Joiner(Protocol):
    """Joins pmappings of all Einsums into mappings of the workload."""

    def guarantee(self, options: MapperOptions) -> float | None:
        """A factor >= 1 by which no mapping is better, in any metric asked for, than some returned one; None: nothing
        is promised (see ``ffcore.pmappings.guarantee``)."""

    def join(
        self,
        problem: Problem,
        pmappings: PmappingSet,
        *,
        executor: Executor | None = None,
        progress: Progress | None = None,
    ) -> Sequence[JoinedMapping]:
        """Return joined mappings, none dominated by another in the metrics asked for.

        Empty where no combination is compatible and fits; one that knows why may raise ``NoValidMappingError``.
        """


class Model(Protocol):
    """Evaluates a given mapping: the law by which results are checked."""

    def evaluate(self, problem: Problem, nests: Sequence[Nest]) -> JointEvaluation:
        """Evaluate one nest for each Einsum of ``problem``, in order: J, s, and the occupancy of each memory.

        Raises ``SpecError`` for nests that break a rule of the mapspace.
        """


@attrs.frozen
class ComponentQuery:
    """One component whose cost is asked for."""

    name: str  # of the architecture node
    component_class: str  # what it is (``SRAM``, ``MAC``), as the spec says; may be empty
    attributes: Mapping[str, Any]  # the node's evaluated fields that bear on cost (size in bits, technology, ...)
    actions: tuple[str, ...]  # names of the actions that need a cost


@attrs.frozen
class ComponentCost:
    """What a cost model answers; what it leaves out keeps the spec's own value."""

    energy: Mapping[str, float] = attrs.field(factory=dict)  # action -> J per action
    throughput: Mapping[str, float] = attrs.field(factory=dict)  # action -> actions/s of one instance
    area: float | None = None  # m² of one instance
    leak_power: float | None = None  # W of one instance
    source: str = ""  # where the numbers come from, for people: a file and its line, a model's name


class CostModel(Protocol):
    """Estimates what the components of an architecture cost."""

    def cost(self, component: ComponentQuery) -> ComponentCost:
        """Cost of one component. Raises ``SpecError`` for a component that the model does not know."""


class Arch(Protocol):
    """Factory of an architecture model; its parameters are those that the ``ArchRecord`` lists."""

    def __call__(self, **parameters: Any) -> ArchData:
        """Build the architecture. Raises ``SpecError`` for a parameter value that makes no sense."""


class Renderer(Protocol):
    """Draws workloads, architectures and mappings, or reports of them; its record says which of them."""

    def render(self, kind: RenderKind, obj: Any, format: str) -> bytes | str:
        """Draw ``obj``: a ``Spec`` for a workload or an architecture, a ``ffcore.render.mapping.MappingView`` for a
        mapping, a ``ffcore.plugin.ReportSubject`` for a report.

        ``format`` is one of the record's ``formats``; text formats (``svg``, ``dot``, ``txt``) come as ``str``.
        """


class ExecutorFactory(Protocol):
    """Factory of executors."""

    def __call__(self, n_jobs: int, **options: Any) -> Executor:
        """An executor that runs ``n_jobs`` calls at once; the caller shuts it down.

        It may have ``outcomes``, see ``ffcore.plugin.as_completed``, and ``n_jobs``: how many calls run at once. Raises
        ``FFError`` for options that make no sense, ``ExecutorError`` where its workers are out of reach.
        """
