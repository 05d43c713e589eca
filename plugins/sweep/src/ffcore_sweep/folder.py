"""The folder of a sweep: what it varies, the specs, and the points that are done, so that it can be gone on with.

``sweep.json``: the axes, and in the end all points; ``spec.json`` (and ``specs/``, where Jinja parameters are varied):
the specs as data; ``points/NNN.json`` and ``.yaml``: one point and its best mapping; ``pmappings/``: what was explored.
Every file is written at once or not at all; ``sweep.json`` holds hashes of the specs, points one of the sweep.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs

import ffcore
from ffcore.plugin import (
    FFError,
    Spec,
    SpecError,
    as_json,
    check_file,
    decoded,
    encoded,
    read_json,
    read_spec,
    write_atomically,
    write_spec,
)
from ffcore_sweep.axes import Axis, Value, axes_of, in_si
from ffcore_sweep.chosen import ALL, Choice, Grid, chosen
from ffcore_sweep.columns import Design, Detail, column_of, expected
from ffcore_sweep.packed import Packed
from ffcore_sweep.points import Source
from ffcore_sweep.result import FAILED, FOUND, NOTHING, SweepPoint

PLAN, SPEC, SPECS, POINTS = "sweep.json", "spec.json", "specs", "points"
PMAPPINGS, REPORTS = "pmappings", "reports"
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, ArithmeticError)
_ANEW = "the sweep cannot be gone on with, begin it anew"
_AGAIN = "this point is mapped again"


@attrs.frozen(eq=False)
class Folder:
    """A sweep's folder, its axes, and its specs: one for each combination of the Jinja parameters that are varied."""

    path: Path
    axes: tuple[Axis, ...]
    specs: tuple[Spec, ...]
    choice: Choice = ALL
    front: tuple[str, ...] = ()  # columns whose front is marked

    @property
    def source(self) -> Source:
        """What the points' fields are set in."""
        if not any(axis.parameter for axis in self.axes):
            return self.specs[0]
        # By their texts, as True and 1 are equal.
        of = {repr(known): spec for known, spec in zip(_combinations(self.axes), self.specs, strict=True)}
        return lambda **parameters: of[repr(parameters)]

    @cached_property
    def n_points(self) -> int:
        return len(self.combinations)

    @cached_property
    def combinations(self) -> Sequence[dict[str, Value]]:
        """The values of each point, by number."""
        return chosen(self.axes, self.choice)

    def file(self, number: int, suffix: str) -> Path:
        """A file of one point."""
        return self.path / POINTS / f"{number:0{max(3, len(str(self.n_points - 1)))}}{suffix}"

    def report(self, number: int) -> Path:
        """Where the report of a point is, if there is one."""
        return self.path / REPORTS / self.file(number, ".html").name

    def link(self, point: SweepPoint) -> str:
        """What a point leads to, from the folder: its report or else its best mapping; nothing where it has none."""
        if not point.numbers:
            return ""
        report = self.report(point.number)
        return (report if report.exists() else self.file(point.number, ".yaml")).relative_to(self.path).as_posix()

    @cached_property
    def plan(self) -> dict[str, Any]:
        """The head of ``sweep.json``."""
        return {
            "ffcore": ffcore.__version__,
            "vary": [_as_data(axis) for axis in self.axes],
            **({} if self.choice == ALL else {"choice": attrs.asdict(self.choice)}),
            **({"front": list(self.front)} if self.front else {}),
            "specs": [
                {**listed, "hash": spec.hash()} for listed, spec in zip(_listed(self.axes), self.specs, strict=True)
            ],
        }

    @cached_property
    def digest(self) -> str:
        """What tells points of this sweep from those of others."""
        return hashlib.sha256(as_json(self.plan).encode()).hexdigest()

    def begin(self) -> None:
        """Write what it takes to go on later; points of an older sweep are removed.

        Wherever this ends early there is the older sweep, with its own specs, or none. Raises OSError and FFError.
        """
        _check_folders(self.path)
        self._remove_older()
        for listed, spec in zip(_listed(self.axes), self.specs, strict=True):
            file = self.path / listed["file"]
            file.parent.mkdir(parents=True, exist_ok=True)
            write_spec(file, spec)
        write(self.path / PLAN, as_json({**self.plan, "finished": False, "points": []}))

    def _remove_older(self) -> None:
        """Remove the points and the plan of the sweep in this folder; files that are not known to be its own stay."""
        try:
            plan = read_json(self.path / PLAN)
            older = Folder(self.path, _axes(plan), (), _choice(plan))
            older.n_points  # noqa: B018 - read while what is damaged can be told
        except (FFError, *_UNREADABLE):
            return (self.path / PLAN).unlink(missing_ok=True)
        for folder in (self.path / POINTS, self.path / REPORTS):
            for file in sorted(folder.iterdir()) if folder.is_dir() else ():
                named = re.fullmatch(r"([0-9]+)(\.json|\.yaml|\.html)", file.name)
                if not named or int(named[1]) >= older.n_points:
                    continue
                number, suffix = int(named[1]), named[2]
                if file == (older.report(number) if suffix == ".html" else older.file(number, suffix)):
                    file.unlink()
        (self.path / PLAN).unlink()

    def write_point(self, point: SweepPoint) -> None:
        """Keep a point that is done: the mapping first, so that a point that is there has one. An older report goes."""
        self.report(point.number).unlink(missing_ok=True)
        if point.mappings is not None:
            write(self.file(point.number, ".yaml"), point.mappings.to_yaml(point.best))
        write(self.file(point.number, ".json"), as_json({"sweep": self.digest, **self.point_data(point)}))

    def point_data(self, point: SweepPoint) -> dict[str, Any]:
        """A point as plain data, SI numbers."""
        mapping = self.file(point.number, ".yaml").relative_to(self.path).as_posix() if point.numbers else None
        data = {
            "point": point.number,
            "values": point.values,
            "status": point.status,
            "energy": point.energy,
            "latency": point.latency,
            "edp": point.edp,
            "best": point.best,
            "mappings": [{"energy": energy, "latency": latency} for energy, latency in point.numbers],
            "mapping": mapping,
            "reason": point.reason,
            "short_reason": point.short_reason,
            "design": None if point.design is None else attrs.asdict(point.design),
            "details": [attrs.asdict(detail) for detail in point.details],
        }
        return dict(encoded(data))

    def read_points(self, warn: Callable[[str], None]) -> Packed:
        """The points that are done, by number. A file that cannot be used is told of; its point counts as missing.

        So does one that has failed: what was to blame, such as a plugin that was not there, may be gone.
        """
        found = Packed()
        for number, values in enumerate(self.combinations):
            path = self.file(number, ".json")
            if not path.exists():
                continue
            if path.is_dir():
                check_file(path)  # raises: it could not be replaced once the point is done
            try:
                point = self._point(read_json(path, _AGAIN), number, {k: in_si(v) for k, v in values.items()})
            except FFError as error:
                warn(str(error))
            except _UNREADABLE as error:
                warn(f"{path} cannot be used ({_said(error)}); {_AGAIN}")
            else:
                if point.status != FAILED:
                    found.add(point)
        return found

    def _point(self, data: Mapping[str, Any], number: int, values: Mapping[str, Value]) -> SweepPoint:
        if as_json(data["values"]) != as_json(encoded(values)) or data["sweep"] != self.digest:
            raise ValueError("it is of another sweep")
        numbers = tuple((_number(m["energy"]), _number(m["latency"])) for m in data["mappings"])
        best, status = data["best"], str(data["status"])
        if status not in (FOUND, NOTHING, FAILED) or (status == FOUND) != bool(numbers) or type(best) is not int:
            raise ValueError("it says nothing that makes sense")
        if numbers and not (0 <= best < len(numbers) and self.file(number, ".yaml").exists()):
            raise ValueError("its mapping is missing")
        reason, short = str(data["reason"]), str(data["short_reason"])
        design = None if data["design"] is None else _design(data["design"])
        details = tuple(map(_detail, data["details"]))
        if len(details) not in (0, len(numbers)):
            raise ValueError("it says nothing that makes sense")
        return SweepPoint(number, values, status, numbers, best, reason, short, design=design, details=details)


def new(
    path: Path, axes: Sequence[Axis], load: Callable[..., Spec], choice: Choice = ALL, front: Sequence[str] = ()
) -> Folder:
    """The folder of a new sweep, nothing written yet; ``load`` gets parameters and files. Raises SpecError."""
    specs = tuple(load(**parameters) for parameters in _combinations(axes))
    known = expected(specs, axes)
    columns = tuple(column_of(name.strip(), known) for name in front)
    folder = Folder(path, tuple(axes), specs, choice, columns)
    folder.combinations  # noqa: B018 - what is wrong with the choice is told before anything is written
    return folder


def opened(path: Path) -> Folder:
    """The folder of a sweep that was begun. Raises SpecError that says what is missing or damaged."""
    check_there(path)
    _check_folders(path)
    plan = read_json(path / PLAN, _ANEW)
    try:
        version, listed = plan["ffcore"], [dict(one) for one in plan["specs"]]
        hashes = [one.pop("hash", None) for one in listed]
        axes, choice, front = _axes(plan), _choice(plan), tuple(map(str, plan.get("front", ())))
    except _UNREADABLE as error:
        raise _damaged(path / PLAN, error) from None
    if version != ffcore.__version__:
        raise SpecError.one(
            f"{path} was begun with ffcore {version}, this is {ffcore.__version__}: results of both are not to be "
            "mixed, begin the sweep anew"
        )
    axes = axes_of(axes)
    if as_json(listed) != as_json(_listed(axes)):
        raise _damaged(path / PLAN, ValueError("its specs are not those of what it varies"))
    specs = tuple(read_spec(path / one["file"], _ANEW) for one in listed)
    for one, spec, digest in zip(listed, specs, hashes, strict=True):
        if spec.hash() != digest:
            raise SpecError.one(f"{path / one['file']} is not what this sweep began with; {_ANEW}")
    return Folder(path, axes, specs, choice, front)


def check_there(path: Path) -> None:
    """Raise SpecError for a folder that holds no sweep."""
    if not (path / PLAN).is_file():
        raise SpecError.one(f"{path} holds no sweep to go on with: there is no {PLAN} in it")


def _check_folders(path: Path) -> None:
    """Raise SpecError for links: what is in them would be somebody else's to write and to remove."""
    for folder in (path / name for name in (POINTS, PMAPPINGS, SPECS, REPORTS)):
        if folder.is_symlink():
            raise SpecError.one(f"{folder} is a symbolic link, which a sweep does not follow: remove it")


def _axes(plan: Mapping[str, Any]) -> tuple[Axis, ...]:
    return tuple(Axis(str(a["path"]), tuple(decoded(list(a["values"]))), str(a.get("group", ""))) for a in plan["vary"])


def _as_data(axis: Axis) -> dict[str, Any]:
    group = {"group": axis.group} if axis.group else {}
    return {"path": axis.path, "values": encoded(axis.values), **group}


def _choice(plan: Mapping[str, Any]) -> Choice:
    given = plan.get("choice", {})
    return Choice(tuple(map(str, given.get("where", ()))), given.get("sample"), given.get("seed", 0))


def _combinations(axes: Sequence[Axis]) -> list[dict[str, Value]]:
    """The Jinja parameters and files of each spec."""
    named = [attrs.evolve(axis, path=axis.parameter) for axis in axes if axis.parameter is not None]
    return list(Grid(named))


def _listed(axes: Sequence[Axis]) -> list[dict[str, Any]]:
    """The specs as ``sweep.json`` lists them."""
    return [
        {"parameters": encoded(known), "file": SPEC if i == 0 else f"{SPECS}/{i:03}.json"}
        for i, known in enumerate(_combinations(axes))
    ]


def _design(data: Mapping[str, Any]) -> Design:
    area, power = (None if data[name] is None else _number(data[name]) for name in ("area", "leak_power"))
    return Design(area, power, _number(data["computes"]))


def _detail(data: Mapping[str, Any]) -> Detail:
    def pairs(of: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
        return {str(name): (_number(a), _number(b)) for name, (a, b) in of.items()}

    single = (_number(data["leakage"]), _number(data["utilisation"]))
    return Detail(*single, pairs(data["peaks"]), pairs(data["einsums"]))


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{value!r} is no number")
    return float(value)


def _damaged(path: Path, error: Exception) -> SpecError:
    return SpecError.one(f"{path} is damaged ({_said(error)}); {_ANEW}")


def _said(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)


def write(path: Path, text: str) -> None:
    """Write a file at once or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text)
