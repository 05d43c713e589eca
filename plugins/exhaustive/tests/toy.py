"""Small problems built by hand, without any spec file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs

from ffcore.spec.problem import (
    Action,
    Component,
    ComponentKind,
    EinsumProblem,
    Held,
    Holding,
    MapperOptions,
    Problem,
    RankExpression,
    SpatialDimension,
    Tensor,
)

NO_TENSORS: frozenset[str] = frozenset()


@attrs.frozen
class ToyPath:
    """A path whose memories say by a function of what is held above what they must and may hold."""

    components: tuple[tuple[Component, Callable[[Held], tuple[frozenset[str], frozenset[str]]] | None], ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(c.name for c, _ in self.components)

    def component(self, index: int, held: Held) -> Component:
        component, holding = self.components[index]
        if holding is None:
            return component
        must, may = holding(held)
        base = component.holding or Holding(must, may)
        return attrs.evolve(component, holding=attrs.evolve(base, must=must, may=may - must))


def tensor(name: str, variables: str, output: bool = False, bits: float = 8, persistent: bool = False) -> Tensor:
    """``tensor("A", "m k")``; ``p+r`` is an affine rank."""
    ranks = tuple(RankExpression(v.upper(), tuple((t, 1) for t in v.split("+"))) for v in variables.split())
    return Tensor(name, ranks, output, bits, persistent)


def memory(
    name: str,
    tensors: Sequence[str],
    size: float = float("inf"),
    energy: float = 1.0,
    spatial: tuple[SpatialDimension, ...] = (),
    **holding: Any,
) -> Component:
    actions = tuple(Action(a, energy, dict.fromkeys(tensors, 1 / 8)) for a in ("read", "write"))
    return Component(
        name,
        ComponentKind.MEMORY,
        actions,
        size=size,
        spatial=spatial,
        holding=Holding(NO_TENSORS, NO_TENSORS, **holding),
    )


def compute(name: str = "MAC") -> Component:
    return Component(name, ComponentKind.COMPUTE, (Action("compute", 1.0, {}),), latency=({"compute": 1.0},))


def simple(
    bounds: dict[str, int],
    einsums: dict[str, list[Tensor]],
    size: float = float("inf"),
    fanout: tuple[SpatialDimension, ...] = (),
    options: MapperOptions | None = None,
    unfused: bool = False,
    buffer_energy: float = 1.0,
) -> Problem:
    """MainMemory keeps ~Intermediates (``unfused``: all), may keep all; GlobalBuffer keeps ~MainMemory,
    may keep all; an array of ``fanout``; a compute. 1 J per bit (GlobalBuffer: ``buffer_energy``) and per
    compute, 1 s per compute."""
    counts: dict[str, int] = {}
    for tensors in einsums.values():
        for t in tensors:
            counts[t.name] = counts.get(t.name, 0) + 1
    written = {t.name for tensors in einsums.values() for t in tensors if t.output}
    read = {t.name for tensors in einsums.values() for t in tensors if not t.output}
    problems = []
    for name, tensors in einsums.items():
        names = frozenset(t.name for t in tensors)
        intermediates = names & written & read

        def main(held: Held, names: frozenset[str] = names, between: frozenset[str] = intermediates):  # type: ignore[no-untyped-def]
            return (names if unfused else names - between), names

        def buffer(held: Held, names: frozenset[str] = names):  # type: ignore[no-untyped-def]
            return names - held["MainMemory"], names

        array = ((Component("Array", ComponentKind.CONTAINER, spatial=fanout), None),) if fanout else ()
        path = ToyPath(
            (
                (memory("MainMemory", sorted(names)), main),
                (memory("GlobalBuffer", sorted(names), size, buffer_energy), buffer),
                *array,
                (compute(), None),
            )
        )
        used = {v: n for v, n in bounds.items() if any(v in t.variables for t in tensors)}
        shared = frozenset(t for t in names if counts[t] > 1)
        problems.append(EinsumProblem(name, used, tuple(tensors), shared, intermediates, (path,)))
    return Problem(tuple(problems), options or MapperOptions())


def matmuls(m: int, *n: int, **options: object) -> Problem:
    """A chain of matrix multiplications T0[m,n0] W0[n0,n1] -> T1[m,n1] ..."""
    bounds = {"m": m, **{f"n{i}": size for i, size in enumerate(n)}}
    einsums = {
        f"Matmul{i}": [
            tensor(f"T{i}", f"m n{i}"),
            tensor(f"W{i}", f"n{i} n{i + 1}"),
            tensor(f"T{i + 1}", f"m n{i + 1}", True),
        ]
        for i in range(len(n) - 1)
    }
    return simple(bounds, einsums, **options)  # type: ignore[arg-type]
