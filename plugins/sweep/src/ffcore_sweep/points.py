"""The points of a sweep, each with its spec and its problem; all mistakes are found before any search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from ffcore.plugin import (
    DEFAULT_EXPLORER,
    FFError,
    Job,
    Problem,
    Spec,
    SpecError,
    SpecProblem,
    check_metrics,
    guarantee_of,
    not_offered,
)
from ffcore_sweep.axes import FILES, Axis, Value, in_si, show_value
from ffcore_sweep.chosen import ALL, Choice, chosen

Source = Spec | Callable[..., Spec]
"""A spec, or a function of the Jinja parameters that are varied which returns one."""


@attrs.frozen(eq=False)
class Point:
    """One combination of values, and the job that it makes."""

    number: int  # in the grid
    values: Mapping[str, Value]  # by path, SI units
    spec: Spec
    problem: Problem
    explorer: str
    joiner: Any
    model: Any

    @property
    def shares(self) -> bool:
        """Is it explored by the default explorer, whose pmappings can serve other points too?"""
        return self.explorer == DEFAULT_EXPLORER

    @property
    def timeless(self) -> bool:
        """Is its join the same whatever else runs beside it? A search within a time limit is not."""
        return guarantee_of(self.joiner, self.problem) is not None


def points_of(source: Source, axes: Sequence[Axis], choice: Choice = ALL) -> list[Point]:
    """The points in order of the grid. Raises one SpecError with the mistakes of all points."""
    combinations = chosen(axes, choice)
    bases = _Bases(source)
    mistakes: dict[SpecProblem, list[int]] = {}
    points = []
    for number, values in enumerate(combinations):
        try:
            points.append(_point(number, values, bases))
        except SpecError as error:
            for mistake in error.problems:
                mistakes.setdefault(mistake, []).append(number)
        except FFError as error:
            mistakes.setdefault(SpecProblem(str(error)), []).append(number)
    if mistakes:
        raise SpecError([_placed(m, numbers, combinations) for m, numbers in mistakes.items()])
    return points


def _point(number: int, values: Mapping[str, Value], bases: _Bases) -> Point:
    spec = bases.of(values)
    for path, value in values.items():
        if path not in bases.parameters(values):
            spec.set(path, value)
    job = Job.of(spec).check()
    explorer, joiner, model, problem = job.explorer_name, job.joiner, job.model, job.problem
    job.explorer  # noqa: B018 - looked up at once
    refused = []
    if explorer == DEFAULT_EXPLORER:  # others have joiners of their own, which may compare other metrics
        check_metrics(problem.options.metrics)
        refused = not_offered(problem.options)
    if refused:
        raise FFError(f"a sweep does not offer mapper.ffm.{', '.join(refused)}: leave it at its default")
    return Point(number, {path: in_si(value) for path, value in values.items()}, spec, problem, explorer, joiner, model)


@attrs.define
class _Bases:
    """The spec that a point's fields are set in; read again where Jinja parameters are varied."""

    source: Source
    _read: dict[str, Spec] = attrs.Factory(dict)

    @staticmethod
    def parameters(values: Mapping[str, Value]) -> dict[str, tuple[str, Value]]:
        named = {path: Axis(path, ()).parameter for path in values}
        return {path: (name, values[path]) for path, name in named.items() if name is not None}

    def of(self, values: Mapping[str, Value]) -> Spec:
        """A spec of its own for one point."""
        given = dict(self.parameters(values).values())
        if isinstance(self.source, Spec):
            if given:
                names = ", ".join(name if name in FILES else f"set.{name}" for name in given)
                raise SpecError.one(
                    f"{names}: a spec that was read already has no Jinja parameters and files left to vary; "
                    "give a function of them that reads it"
                )
            return self.source.copy()
        key = repr(given)
        if key not in self._read:
            self._read[key] = self.source(**given)
        return self._read[key].copy()


def _placed(mistake: SpecProblem, numbers: Sequence[int], combinations: Sequence[Mapping[str, Value]]) -> SpecProblem:
    """The mistake with the points that it is made in."""
    if len(numbers) == len(combinations):
        return mistake
    axes = [
        f"{path}={' or '.join(shown)}"
        for path in combinations[0]
        for shown in [list(dict.fromkeys(show_value(path, combinations[n][path]) for n in numbers))]
        if len(shown) < len({repr(c[path]) for c in combinations})
    ]
    where = " and ".join(axes) or f"{len(numbers)} of {len(combinations)} points"
    return attrs.evolve(mistake, message=f"{mistake.message} (with {where})")
