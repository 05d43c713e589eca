"""From Timeloop's files to a native architecture, workload and mapping."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import yaml

from ffcore.plugin import SpecError, read_regular, write_all, writing
from ffcore_timeloop_import.architecture import Level, read_architecture
from ffcore_timeloop_import.constraints import Rules, read_constraints
from ffcore_timeloop_import.loops import native_mapping
from ffcore_timeloop_import.problem import Problem, read_problem
from ffcore_timeloop_import.source import mapping, number, read_files
from ffcore_timeloop_import.temporal import without_slid

_NATIVE = ("arch.yaml", "workload.yaml", "mapping.yaml")


@attrs.frozen
class Converted:
    """What was read; ``notes``: what it says that a native file cannot."""

    levels: tuple[Level, ...]
    problem: Problem | None
    rules: dict[str, Rules]
    mapping: tuple[tuple[str, dict[str, Any]], ...]
    tables: tuple[Path, ...]  # ERT and ART
    notes: tuple[str, ...]

    @property
    def table_files(self) -> dict[str, Path]:
        """The tables by the names of their copies: their own, where nothing else is called so."""
        found: dict[str, Path] = {}
        for table in self.tables:
            name = table.name
            while name in found or name in _NATIVE:
                name = f"costs_{name}"
            found[name] = table
        return found

    def data(self) -> dict[str, Any]:
        """The native spec as plain data, each node with its type under ``tag``."""
        found: dict[str, Any] = {}
        if self.levels:
            found["arch"] = {"nodes": [{"tag": tag, **fields} for tag, fields in self.nodes()]}
        if self.problem is not None:
            found["workload"] = self.workload()
        if self.mapping:
            found["mapping"] = {"nodes": [{"tag": tag, **fields} for tag, fields in self.mapping]}
        return found

    def workload(self) -> dict[str, Any]:
        """The native workload: every value as wide as a word of the outermost memory."""
        assert self.problem is not None
        return {"bits_per_value": {"All": self.levels[0].word() if self.levels else 8}, **self.problem.workload()}

    def nodes(self) -> list[tuple[str, dict[str, Any]]]:
        """The native architecture, (tag, fields)."""
        outermost = next((level.name for level in self.levels if level.is_memory), "")
        return [
            _node(level, self.rules.get(level.name, Rules()), level.name == outermost, self.levels[0].word())
            for level in self.levels
        ]


@attrs.frozen
class Written:
    """Files that a conversion wrote."""

    converted: Converted
    written: tuple[Path, ...]


def read(files: Sequence[Path]) -> Converted:
    """Read files of Timeloop's. Raises SpecError in one sentence for what cannot be read."""
    sections, unread, places = read_files(files)
    notes = [f"{name}: not read" for name in unread]
    for name in ("architecture", "problem", "mapping", "ERT", "ART"):
        if len(sections.get(name, [])) > 1:
            raise SpecError.one(f"there are {len(sections[name])} of the section {name!r}; give the files of one job")
    levels: list[Level] = []
    problem: Problem | None = None
    if "architecture" in sections:
        variables = {
            k: v for section in sections.get("variables", []) for k, v in mapping(section, "variables").items()
        }
        levels = read_architecture(sections["architecture"][0], notes, variables)
    if "problem" in sections:
        problem = read_problem(sections["problem"][0], notes)
    if not levels and problem is None:
        raise SpecError.one("there is neither an architecture nor a problem: give its file too")
    rules: dict[str, Rules] = {}
    loops: list[tuple[str, dict[str, Any]]] = []
    if levels and problem is not None:
        rules = read_constraints(sections.get("constraints", []), levels, problem, notes)
        if "mapping" in sections:
            loops = native_mapping(sections["mapping"][0], levels, problem, notes) if sections["mapping"][0] else []
            shapes = {name: own.tile_shape for name, own in rules.items()}
            for name, shape in without_slid(shapes, loops, problem, notes).items():
                rules[name].tile_shape = shape
    elif "mapping" in sections or "constraints" in sections:
        raise SpecError.one("a mapping or constraints need the architecture and the problem: give their files too")
    tables = tuple(dict.fromkeys(places[name] for name in ("ERT", "ART") if name in places))
    told = tuple(dict.fromkeys("".join(c if c.isprintable() else ascii(c)[1:-1] for c in note) for note in notes))
    return Converted(tuple(levels), problem, rules, tuple(loops), tables, told)


def convert(files: Sequence[Path], out: str | Path, *, force: bool = False) -> Written:
    """Write native files into the folder ``out``. Raises SpecError; files that are there stay unless ``force``.

    Raises ``OSError`` with the path where they cannot be written: then none is. FolderInUseError where another process
    writes the folder.
    """
    converted, folder = read(files), Path(out)
    texts: dict[str, str | bytes] = {}
    head = "".join(f"# not said: {note}\n" for note in converted.notes)
    if converted.levels:
        texts["arch.yaml"] = head + "arch:\n  nodes:\n" + _text(converted.nodes(), "  ") + _costs(converted)
    if converted.problem is not None:
        texts["workload.yaml"] = _dumped({"workload": converted.workload()})
    if converted.mapping:
        texts["mapping.yaml"] = "mapping:\n  nodes:\n" + _text(list(converted.mapping), "  ")
    for name, table in converted.table_files.items():
        texts[name] = read_regular(table)
    with writing(folder):
        there = next((name for name in texts if os.path.lexists(folder / name)), None)
        if there is not None and not force:
            raise SpecError.one(f"{folder / there} is there already; --force replaces it")
        return Written(converted, tuple(write_all(folder, texts)))


def _node(level: Level, rules: Rules, outermost: bool, word: int) -> tuple[str, dict[str, Any]]:
    fields: dict[str, Any] = {"name": level.name}
    spatial = _spatial(level, rules)
    if level.kind == "fanout":
        return "Container", {**fields, "spatial": spatial} if spatial else fields
    cycle = number(level.attributes.get("global_cycle_seconds", 1e-9), f"global_cycle_seconds of {level.name}")
    if not 0 < cycle < math.inf:
        raise SpecError.one(f"global_cycle_seconds of {level.name} must be positive, got {cycle:g}")
    fields["component_class"] = level.kind
    if spatial:
        fields["spatial"] = spatial
    if level.is_compute:
        return "Compute", {**fields, "actions": [{"name": "compute", "throughput": _rounded(1 / cycle)}]}
    fields["size"] = level.room or level.bits()
    fields["tensors"] = _tensors(rules, outermost)
    if level.word() != word:
        fields["bits_per_value"] = {"All": level.word()}
    fields["bits_per_action"] = level.block()
    fields["actions"] = [
        {"name": action, "throughput": _throughput(level, f"{action}_bandwidth", cycle)} for action in ("read", "write")
    ]
    return "Memory", fields


def _spatial(level: Level, rules: Rules) -> list[dict[str, Any]]:
    found = []
    for axis, fanout in (("X", level.x), ("Y", level.y)):
        if fanout > 1:
            entry: dict[str, Any] = {"name": axis, "fanout": fanout}
            if rules.bounds[axis]:
                entry["loop_bounds"] = rules.bounds[axis]
            if rules.min_usage:
                entry["min_usage"] = rules.min_usage
            if rules.alone:
                entry["may_reuse"] = f"~({' | '.join(rules.alone)})"
            found.append(entry)
    return found


def _tensors(rules: Rules, outermost: bool) -> dict[str, Any]:
    found: dict[str, Any] = {"keep": " | ".join(rules.keep)} if rules.keep else {"keep": "All"} if outermost else {}
    if rules.bypass:
        found["bypass"] = " | ".join(rules.bypass)
    if rules.once:
        found["no_refetch_from_above"] = " | ".join(rules.once)
    if rules.tile_shape:
        found["tile_shape"] = rules.tile_shape
    return {**found, "may_keep": "All"}


def _throughput(level: Level, name: str, cycle: float) -> float:
    """Accesses per second, from words per cycle."""
    words = level.attributes.get(name)
    if words in (None, "-"):
        return math.inf
    return _rounded(number(words, f"{name} of {level.name}") * level.word() / level.block() / cycle)


def _rounded(value: float) -> float:
    """1 / 1e-9 as 1e9."""
    return float(f"{value:.12g}")


def _costs(converted: Converted) -> str:
    if not converted.tables:
        return ""
    files = list(converted.table_files)
    return _dumped({"mapper": {"cost_model": "tables", "cost_model_options": {"files": files}}})


def _text(nodes: Sequence[tuple[str, dict[str, Any]]], indent: str) -> str:
    lines = []
    for tag, fields in nodes:
        lines.append(f"{indent}- !{tag}")
        lines += [f"{indent}  {line}" for line in _dumped(fields).splitlines()]
    return "\n".join(lines) + "\n"


def _dumped(data: Any) -> str:
    text: str = yaml.safe_dump(data, sort_keys=False, default_flow_style=None, width=140, allow_unicode=True)
    return text
