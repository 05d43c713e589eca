"""The points of a sweep, each with its spec and its problem; all mistakes are found before any search."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, overload

import attrs

from ffcore.plugin import (
    DEFAULT_EXPLORER,
    FFError,
    HolderChoice,
    Job,
    Problem,
    Spec,
    SpecError,
    SpecProblem,
    guarantee_of,
    not_offered,
)
from ffcore_sweep.axes import FILES, Axis, Value, in_si, show_value
from ffcore_sweep.chosen import ALL, Choice, chosen
from ffcore_sweep.compose import Family, text_of
from ffcore_sweep.kept import Kept
from ffcore_sweep.separable import NotSeparableError, WrongError, family_of, separable

_FAMILIES = 64  # that are kept
_SINGLE = 1024  # points by themselves, likewise
_MOST_CHECKED = 1000  # points of a family one of which has mistakes

Source = Spec | Callable[..., Spec]
"""A spec, or a function of the Jinja parameters that are varied which returns one."""


@attrs.frozen(eq=False)
class Point:
    """One combination of values, and the job that it makes.

    ``given``: the values as they were given. ``choices``, ``alike``: of a point that was put together, see `Needs`.
    """

    number: int  # in the grid
    values: Mapping[str, Value]  # by path, SI units
    given: Mapping[str, Value]
    problem: Problem
    explorer: str
    joiner: Any
    exact: bool  # the joiner
    model: Any
    spec_of: Callable[[], Spec]
    areas_of: Callable[[], Mapping[str, float] | None]  # m² by component; None where the spec does not say
    choices: Sequence[tuple[HolderChoice, ...]] | None = None
    alike: Sequence[Hashable] | None = None

    @property
    def spec(self) -> Spec:
        """The spec with these values; of a point that was put together it is made when it is asked for."""
        return self.spec_of()

    @property
    def shares(self) -> bool:
        """Is it explored by the default explorer, whose pmappings can serve other points too?"""
        return self.explorer == DEFAULT_EXPLORER

    @property
    def timeless(self) -> bool:
        """Is its join the same whatever else runs beside it? A search within a time limit is not."""
        return guarantee_of(self.joiner, self.problem) is not None


class Points(Sequence[Point]):
    """The points in order of the grid, each made when it is asked for, of whatever can be kept of others."""

    def __init__(self, source: Source, combinations: Sequence[Mapping[str, Value]]) -> None:
        self._combinations = combinations
        self._bases = _Bases(source)
        self._groups: list[tuple[list[int], tuple[str, ...]]] = []  # numbers of points, and the paths they differ in
        self._group_of = [-1] * len(combinations)
        self._families: Kept[Family] = Kept(_FAMILIES)
        self._single: Kept[Point] = Kept(_SINGLE)

    @classmethod
    def checked(cls, source: Source, combinations: Sequence[Mapping[str, Value]]) -> Points:
        """The points. Raises one SpecError with the mistakes of all of them."""
        points = cls(source, combinations)
        mistakes = _Mistakes(combinations)
        paths = tuple(path for path in combinations[0] if separable(path))
        points._divide(range(len(combinations)), paths, mistakes)
        mistakes.raise_if_any()
        return points

    def _divide(self, numbers: Sequence[int], paths: tuple[str, ...], mistakes: _Mistakes) -> None:
        """Find the families of some points: those that differ in these paths alone."""
        others = [path for path in self._combinations[0] if path not in paths]
        groups: dict[str, list[int]] = {}
        for number in numbers:
            groups.setdefault(text_of(self._combinations[number], others), []).append(number)
        for own in groups.values():
            if len(own) == 1 or not paths:
                for number in own:
                    self._check(number, mistakes)
                continue
            try:
                self._group(own, paths)
            except NotSeparableError as error:
                self._divide(own, tuple(path for path in paths if path not in error.paths), mistakes)
            except WrongError as wrong:
                if len(own) > _MOST_CHECKED:
                    mistakes.add(wrong.error, wrong.numbers)
                    continue
                for number in own:  # which of them have what other mistakes too
                    self._check(number, mistakes)

    def _group(self, numbers: list[int], paths: tuple[str, ...]) -> None:
        place = len(self._groups)
        self._families.get(place, lambda: family_of(numbers, self._combinations, paths, self.resolved))
        self._groups.append((numbers, paths))
        for number in numbers:
            self._group_of[number] = place

    def _check(self, number: int, mistakes: _Mistakes) -> None:
        try:
            self[number]
        except FFError as error:
            mistakes.add(error, [number])

    def __len__(self) -> int:
        return len(self._combinations)

    @overload
    def __getitem__(self, number: int) -> Point: ...
    @overload
    def __getitem__(self, number: slice) -> list[Point]: ...
    def __getitem__(self, number: int | slice) -> Point | list[Point]:
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        values = self._combinations[number]
        place = self._group_of[number]
        if place < 0:
            return self._single.get(number, lambda: self.resolved(number, values))
        numbers, paths = self._groups[place]
        family = self._families.get(place, lambda: family_of(numbers, self._combinations, paths, self.resolved))
        return family.point(number, values, self.spec_of)

    def resolved(self, number: int, values: Mapping[str, Value]) -> Point:
        """A point by itself. Raises FFError."""
        return _point(number, values, self.spec_of(values))

    def spec_of(self, values: Mapping[str, Value]) -> Spec:
        """The spec with these values. Raises SpecError."""
        spec = self._bases.of(values)
        for path, value in values.items():
            if path not in self._bases.parameters(values):
                spec.set(path, value)
        return spec


def points_of(source: Source, axes: Sequence[Axis], choice: Choice = ALL) -> Points:
    """The points in order of the grid. Raises one SpecError with the mistakes of all points."""
    return Points.checked(source, chosen(axes, choice))


def _point(number: int, values: Mapping[str, Value], spec: Spec) -> Point:
    job = Job.of(spec).check()
    explorer, problem = job.explorer_name, job.problem
    job.explorer  # noqa: B018 - looked up at once
    refused = []
    job.check_metrics()
    if explorer == DEFAULT_EXPLORER:
        refused = not_offered(problem.options)
    if refused:
        raise FFError(f"a sweep does not offer mapper.ffm.{', '.join(refused)}: leave it at its default")
    si = {path: in_si(value) for path, value in values.items()}
    areas = partial(_areas, spec)
    return Point(number, si, values, problem, explorer, job.joiner, job.exact, job.model, lambda: spec, areas)


def _areas(spec: Spec) -> Mapping[str, float] | None:
    try:
        return spec.areas()
    except FFError:  # some component does not say its own
        return None


@attrs.define
class _Mistakes:
    """What is wrong, and with which points."""

    combinations: Sequence[Mapping[str, Value]]
    _found: dict[SpecProblem, list[int]] = attrs.Factory(dict)

    def add(self, error: FFError, numbers: Sequence[int]) -> None:
        """Note what is wrong with some points."""
        for mistake in error.problems if isinstance(error, SpecError) else [SpecProblem(str(error))]:
            self._found.setdefault(mistake, []).extend(numbers)

    def raise_if_any(self) -> None:
        """Raise one SpecError for all."""
        if self._found:
            found = sorted(((sorted({*n}), m) for m, n in self._found.items()), key=lambda item: item[0][0])
            raise SpecError([_placed(mistake, numbers, self.combinations) for numbers, mistake in found])


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
