"""Small problems built by hand, without YAML: for tests of every stage behind the spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

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

INF = float("inf")


@attrs.frozen
class FakePath:
    """A path whose components do not depend on what is held, unless ``adapt`` says so."""

    components: tuple[Component, ...]
    adapt: Callable[[Component, Held], Component] = lambda component, held: component

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(c.name for c in self.components)

    def component(self, index: int, held: Held) -> Component:
        return self.adapt(self.components[index], held)


def tensor(name: str, *ranks: str, output: bool = False, bits: float = 8, persistent: bool = False) -> Tensor:
    """``tensor("I", "p+r", "c")``: a rank for each argument; ``2*p+r`` strides, ``M:p`` names the rank."""
    return Tensor(name, tuple(rank(r) for r in ranks), output, bits, persistent)


def rank(text: str) -> RankExpression:
    given, _, expression = text.rpartition(":")
    terms = []
    for part in expression.split("+"):
        coefficient, _, variable = part.rpartition("*")
        terms.append((variable, int(coefficient or 1)))
    return RankExpression(given or "_".join(v.upper() for v, _ in terms), tuple(terms))


def values_of(tensors: Sequence[Tensor]) -> dict[str, float]:
    """Values per action of one bit each, as in the architecture ``simple``."""
    return {t.name: 1 / t.bits_per_value for t in tensors}


def memory(
    name: str,
    tensors: Sequence[Tensor],
    *,
    size: float = INF,
    must: Sequence[str] = (),
    may: Sequence[str] | None = None,
    read: float = 1.0,
    write: float = 1.0,
    read_s: float = 0.0,
    write_s: float = 0.0,
    spatial: Sequence[SpatialDimension] = (),
    skip: bool = True,
    **holding: object,
) -> Component:
    """A memory that charges 1 J per bit read or written unless told otherwise."""
    all_names = frozenset(t.name for t in tensors)
    allowed = all_names if may is None else frozenset(may)
    per = values_of(tensors)
    return Component(
        name,
        ComponentKind.MEMORY,
        actions=(Action("read", read, per), Action("write", write, per)),
        latency=({"read": read_s, "write": write_s},) if read_s or write_s else (),
        spatial=tuple(spatial),
        size=size,
        holding=Holding(frozenset(must), allowed - frozenset(must), **holding),  # type: ignore[arg-type]
        skip_initial_output_write=skip,
    )


def toll(name: str, tensors: Sequence[Tensor], *, up: bool = True, down: bool = True, energy: float = 1.0) -> Component:
    names = frozenset(t.name for t in tensors)
    return Component(
        name,
        ComponentKind.TOLL,
        actions=(Action("read", energy, values_of(tensors)),),
        holding=Holding(frozenset(), names),
        free_up=frozenset() if up else names,
        free_down=frozenset() if down else names,
    )


def container(name: str, *spatial: SpatialDimension) -> Component:
    return Component(name, ComponentKind.CONTAINER, spatial=spatial)


def compute(name: str = "MAC", *, energy: float = 1.0, seconds: float = 1.0, **more: object) -> Component:
    return Component(
        name,
        ComponentKind.COMPUTE,
        actions=(Action("compute", energy, {}),),
        latency=({"compute": seconds},),
        **more,  # type: ignore[arg-type]
    )


def dimension(
    name: str, fanout: int, may_reuse: Sequence[str] = (), reuse: Sequence[str] = (), **more: object
) -> SpatialDimension:
    return SpatialDimension(name, fanout, frozenset(reuse), frozenset(may_reuse), **more)  # type: ignore[arg-type]


def simple_path(tensors: Sequence[Tensor], shared: Sequence[str] = (), buffer_bits: float = INF) -> FakePath:
    """The architecture ``simple``: MainMemory keeps all but ``shared``, GlobalBuffer may keep all, MAC."""
    names = [t.name for t in tensors]
    must = [n for n in names if n not in shared]
    return FakePath(
        (
            memory("MainMemory", tensors, must=must, may=names),
            memory("GlobalBuffer", tensors, size=buffer_bits, may=names),
            compute(),
        )
    )


def einsum(
    name: str,
    bounds: Mapping[str, int],
    tensors: Sequence[Tensor],
    path: FakePath | None = None,
    shared: Sequence[str] = (),
    **more: object,
) -> EinsumProblem:
    return EinsumProblem(
        name,
        dict(bounds),
        tuple(tensors),
        frozenset(shared),
        more.pop("intermediates", frozenset(shared)),  # type: ignore[arg-type]
        (path or simple_path(tensors, shared),),
        **more,  # type: ignore[arg-type]
    )


def matmul_chain(n: int, m: int, kn: int, *, bits: float = 8, buffer_bits: float = INF) -> Problem:
    """Einsums Matmul0.. computing ``T{i+1}[m, n{i+1}] = T{i}[m, n{i}] * W{i}[n{i}, n{i+1}]`` on ``simple``."""
    einsums = []
    for i in range(n):
        a, b = f"n{i}", f"n{i + 1}"
        tensors = (
            tensor(f"T{i}", "m", a, bits=bits),
            tensor(f"W{i}", a, b, bits=bits),
            tensor(f"T{i + 1}", "m", b, bits=bits, output=True),
        )
        shared = [t for t in (f"T{i}", f"T{i + 1}") if t not in ("T0", f"T{n}")]
        path = simple_path(tensors, shared, buffer_bits)
        einsums.append(einsum(f"Matmul{i}", {"m": m, a: kn, b: kn}, tensors, path, shared))
    return Problem(tuple(einsums), MapperOptions())
