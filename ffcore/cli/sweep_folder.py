"""The folder of a sweep: what it varies, the specs, and the points that are done, so that it can be gone on with.

``sweep.json``: the axes, and in the end all points; ``spec.json`` (and ``specs/``, where Jinja parameters are varied):
the specs as data; ``points/NNN.json`` and ``.yaml``: one point and its best mapping; ``pmappings/``: what was explored.
Every file is written at once or not at all.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import attrs

import ffcore
from ffcore.errors import SpecError
from ffcore.files import write_atomically
from ffcore.spec import Spec
from ffcore.spec.spec import spec_from_data
from ffcore.sweeps.axes import Axis, Value, axes_of, grid, in_si
from ffcore.sweeps.points import Source
from ffcore.sweeps.result import FAILED, FOUND, NOTHING, SweepPoint

PLAN, SPEC, SPECS, POINTS = "sweep.json", "spec.json", "specs", "points"
_INFINITIES = {"inf": math.inf, "-inf": -math.inf}
_UNREADABLE = (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError)


@attrs.frozen(eq=False)
class Folder:
    """A sweep's folder, its axes, and its specs: each with the Jinja parameters that it was read with."""

    path: Path
    axes: tuple[Axis, ...]
    specs: tuple[tuple[Mapping[str, Value], Spec], ...]

    @property
    def source(self) -> Source:
        """What the points' fields are set in."""
        if not any(axis.parameter for axis in self.axes):
            return self.specs[0][1]
        return lambda **parameters: next(spec for known, spec in self.specs if known == parameters)

    @cached_property
    def n_points(self) -> int:
        return math.prod(len(axis.values) for axis in self.axes)

    def file(self, number: int, suffix: str) -> Path:
        """A file of one point."""
        return self.path / POINTS / f"{number:0{max(3, len(str(self.n_points - 1)))}}{suffix}"

    def plan(self) -> dict[str, Any]:
        """The head of ``sweep.json``."""
        return {
            "ffcore": ffcore.__version__,
            "vary": [{"path": a.path, "values": list(map(as_json, a.values))} for a in self.axes],
            "specs": [
                {"parameters": {k: as_json(v) for k, v in known.items()}, "file": name}
                for (known, _), name in zip(self.specs, _names(len(self.specs)), strict=True)
            ],
        }

    def begin(self) -> None:
        """Write what it takes to go on later; points of an older sweep are removed. Raises OSError."""
        points = self.path / POINTS
        for old in sorted(points.glob("[0-9]*.*")) if points.is_dir() else ():
            if old.suffix in (".json", ".yaml"):
                old.unlink()
        for (_, spec), name in zip(self.specs, _names(len(self.specs)), strict=True):
            write(self.path / name, dumped(spec.to_dict()))
        write(self.path / PLAN, dumped({**self.plan(), "finished": False, "points": []}))

    def write_point(self, point: SweepPoint) -> None:
        """Keep a point that is done: the mapping first, so that a point that is there has one."""
        if point.mappings is not None:
            write(self.file(point.number, ".yaml"), point.mappings.to_yaml(point.best))
        write(self.file(point.number, ".json"), dumped(self.point_data(point)))

    def point_data(self, point: SweepPoint) -> dict[str, Any]:
        """A point as plain data, SI numbers."""
        mapping = self.file(point.number, ".yaml").relative_to(self.path).as_posix() if point.numbers else None
        return {
            "point": point.number,
            "values": {k: as_json(v) for k, v in point.values.items()},
            "status": point.status,
            "energy": point.energy,
            "latency": point.latency,
            "edp": point.edp,
            "best": point.best,
            "mappings": [{"energy": energy, "latency": latency} for energy, latency in point.numbers],
            "mapping": mapping,
            "reason": point.reason,
            "short_reason": point.short_reason,
        }

    def read_points(self, warn: Callable[[str], None]) -> dict[int, SweepPoint]:
        """The points that are done, by number. A file that cannot be used is told of; its point counts as missing."""
        found = {}
        for number, values in enumerate(grid(self.axes)):
            path = self.file(number, ".json")
            if not path.exists():
                continue
            try:
                own = {k: in_si(v) for k, v in values.items()}
                found[number] = self._point(json.loads(path.read_text()), number, own)
            except _UNREADABLE as error:
                warn(f"{path} cannot be used ({_said(error)}); this point is mapped again")
        return found

    def _point(self, data: Any, number: int, values: Mapping[str, Value]) -> SweepPoint:
        if data["values"] != {k: as_json(v) for k, v in values.items()}:
            raise ValueError("it is of another sweep")
        numbers = tuple((float(m["energy"]), float(m["latency"])) for m in data["mappings"])
        best, status = int(data["best"]), str(data["status"])
        if status not in (FOUND, NOTHING, FAILED) or (status == FOUND) != bool(numbers):
            raise ValueError("it says nothing that makes sense")
        if numbers and not (0 <= best < len(numbers) and self.file(number, ".yaml").exists()):
            raise ValueError("its mapping is missing")
        reason, short = str(data["reason"]), str(data["short_reason"])
        return SweepPoint(number, values, status, numbers, best, reason, short)


def new(path: Path, axes: Sequence[Axis], load: Callable[..., Spec]) -> Folder:
    """The folder of a new sweep, nothing written yet; ``load`` gets the Jinja parameters. Raises SpecError."""
    names = {axis.path: axis.parameter for axis in axes if axis.parameter is not None}
    combinations = grid([axis for axis in axes if axis.path in names]) if names else [{}]
    specs = []
    for values in combinations:
        parameters = {names[p]: value for p, value in values.items()}
        specs.append((parameters, load(**parameters)))
    return Folder(path, tuple(axes), tuple(specs))


def opened(path: Path) -> Folder:
    """The folder of a sweep that was begun. Raises SpecError that says what is missing or damaged."""
    if not (path / PLAN).is_file():
        raise SpecError.one(f"{path} holds no sweep to go on with: there is no {PLAN} in it")
    plan = _read(path / PLAN)
    try:
        version = plan["ffcore"]
        axes = [Axis(str(a["path"]), tuple(map(from_json, a["values"]))) for a in plan["vary"]]
        listed = [({str(k): from_json(v) for k, v in s["parameters"].items()}, str(s["file"])) for s in plan["specs"]]
    except _UNREADABLE as error:
        raise _damaged(path / PLAN, error) from None
    if version != ffcore.__version__:
        raise SpecError.one(
            f"{path} was begun with ffcore {version}, this is {ffcore.__version__}: results of both are not to be "
            "mixed, begin the sweep anew"
        )
    if [name for _, name in listed] != _names(len(listed)) or not listed:
        raise _damaged(path / PLAN, ValueError("it names no spec"))
    specs = tuple((known, spec_from_data(_read(path / name), str(path / name))) for known, name in listed)
    return Folder(path, axes_of(axes), specs)


def _names(count: int) -> list[str]:
    return [SPEC if i == 0 else f"{SPECS}/{i:03}.json" for i in range(count)]


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text())
        if not isinstance(data, dict):
            raise ValueError("it holds no mapping")
    except FileNotFoundError:
        raise SpecError.one(f"{path} is missing: the sweep cannot be gone on with, begin it anew") from None
    except (OSError, ValueError) as error:
        raise _damaged(path, error) from None
    return data


def _damaged(path: Path, error: Exception) -> SpecError:
    return SpecError.one(f"{path} is damaged ({_said(error)}): the sweep cannot be gone on with, begin it anew")


def _said(error: Exception) -> str:
    return f"no {error}" if isinstance(error, KeyError) else str(error)


def as_json(value: Value) -> Value:
    """JSON has no infinity."""
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if isinstance(value, Mapping):
        return {k: as_json(v) for k, v in value.items()}
    return [as_json(v) for v in value] if isinstance(value, list | tuple) else value


def from_json(value: Value) -> Value:
    """The value that `as_json` has made."""
    return _INFINITIES.get(value, value) if isinstance(value, str) else value


def dumped(data: object) -> str:
    return json.dumps(as_json(data), indent=2, allow_nan=False) + "\n"


def write(path: Path, text: str) -> None:
    """Write a file at once or not at all. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, text)
