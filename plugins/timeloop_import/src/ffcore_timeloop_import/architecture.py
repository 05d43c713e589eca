"""Timeloop's architecture: storage levels from the outermost to the compute, with fanouts between them."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from ffcore.plugin import SpecError
from ffcore_timeloop_import.source import count, mapping, number, sequence

_RANGE = re.compile(r"(?P<name>[^\[]+)(\[(?P<first>\d+)\.\.(?P<last>\d+)\])?")
_COMPUTE = re.compile(r"mac|compute|alu|multiplier", re.IGNORECASE)
_NO_STORAGE = re.compile(r"network|noc|wire|adder|router", re.IGNORECASE)
_USUAL: Mapping[str, object] = {
    "multiple_buffering": 1,
    "min_utilization": 0,
    "allow_overbooking": False,
    "has_power_gating": False,
    "reduction_supported": True,
}
"""Attributes that say nothing where they have these values."""


@attrs.define
class Level:
    """A storage level or the compute; ``x`` and ``y``: its own fanout, of it and all below."""

    name: str
    kind: str  # the class
    attributes: dict[str, Any]
    x: int = 1
    y: int = 1
    constraints: dict[str, Any] = attrs.field(factory=dict)
    own_fanout: bool = False  # version 0.4: what is said of its spatial loops is of its own fanout, not of the next one
    beside_others: bool = False  # it holds what its constraints say, and no other tensor
    room: float = 0.0  # bits that a mapping needs beyond the size

    @property
    def is_compute(self) -> bool:
        return bool(_COMPUTE.search(self.kind))

    @property
    def is_memory(self) -> bool:
        return self.kind != "fanout" and not self.is_compute

    def word(self) -> int:
        """Bits of a value."""
        found = next((self.attributes[k] for k in ("datawidth", "word-bits", "word_bits") if k in self.attributes), 8)
        return count(found, f"the word width of {self.name}")

    def block(self) -> int:
        """Bits that one access moves."""
        if "width" in self.attributes:
            return count(self.attributes["width"], f"the width of {self.name}")
        blocks = self.attributes.get("block-size", self.attributes.get("block_size", 1))
        return self.word() * count(blocks, f"the block size of {self.name}")

    def bits(self) -> float:
        """Capacity of one instance."""
        a = self.attributes
        if "DRAM" in self.kind.upper():
            return math.inf
        if "sizeKB" in a:
            return 8 * 1024 * number(a["sizeKB"], f"sizeKB of {self.name}")
        if "depth" in a:
            return number(a["depth"], f"depth of {self.name}") * self.block()
        words = a.get("entries", a.get("size"))
        return math.inf if words is None else number(words, f"size of {self.name}") * self.word()

    def check(self) -> None:
        """Raise SpecError for a level that cannot be."""
        if not self.name or not self.kind:
            raise SpecError.one(
                f"a component of the architecture ({self.name or self.kind or '?'}) lacks its name or class"
            )
        if self.is_memory and not self.bits() > 0:
            raise SpecError.one(f"the size of {self.name} must be positive, got {self.bits():g} bits")

    def unsaid(self) -> list[str]:
        """Attributes that have no native counterpart and would change something."""
        own = [k for k, v in self.attributes.items() if k in _USUAL and v != _USUAL[k]]
        return [f"{self.name}: {name}: {self.attributes[name]}" for name in own]


def read_architecture(section: Any, notes: list[str], variables: Mapping[str, Any] | None = None) -> list[Level]:
    """The levels, outermost first, the compute last. Raises SpecError for what cannot be an architecture."""
    top = mapping(section, "architecture")
    known = {name: value for name, value in (variables or {}).items() if name != "version"}
    if "nodes" in top:
        levels = _of_nodes(sequence(top["nodes"], "architecture.nodes"), notes, {}, [])
    elif "subtree" in top or "local" in top:
        levels = _relative(list(_of_tree({**top, "name": ""}, 1, {})))
    else:
        raise SpecError.one("the architecture has neither nodes (version 0.4) nor a subtree (0.2, 0.3)")
    kept = []
    clock = {"global_cycle_seconds": known["global_cycle_seconds"]} if "global_cycle_seconds" in known else {}
    for level in levels:
        named = {k: known.get(v, v) if isinstance(v, str) else v for k, v in level.attributes.items()}
        level.attributes = {**clock, **named}
        if _NO_STORAGE.search(level.kind) and not level.is_compute:
            notes.append(f"{level.name} ({level.kind}): moving data between memories is free; its fanout stays")
            kept.append(attrs.evolve(level, kind="fanout"))
        else:
            kept.append(level)
        notes += level.unsaid()
    for level in kept:
        level.check()
    if not kept or not kept[-1].is_compute:
        raise SpecError.one("the innermost level must be a compute (a class such as intmac)")
    return kept


def _of_nodes(nodes: list[Any], notes: list[str], shared: dict[str, Any], waiting: list[Level]) -> list[Level]:
    """Levels of version 0.4. ``shared``: attributes that containers pass on; ``waiting``: fanouts of containers."""
    found: list[Level] = []
    for node in nodes:
        entry = mapping(node, "a node of the architecture")
        tag, name = str(entry.get("tag", "Component")), str(entry.get("name", ""))
        if tag in ("Hierarchical", "Parallel"):
            found += waiting
            waiting.clear()
            inner = _of_nodes(sequence(entry.get("nodes"), f"nodes of {name or tag}"), notes, dict(shared), waiting)
            if tag == "Parallel" and any(not level.is_memory for level in inner):
                raise SpecError.one(
                    f"{name or '!Parallel'}: only storages are converted side by side: write a !Fork by hand"
                )
            found += [attrs.evolve(level, beside_others=tag == "Parallel" or level.beside_others) for level in inner]
            continue
        spatial = mapping(entry.get("spatial"), f"spatial of {name}")
        x, y = (count(spatial.get(mesh, 1), f"{mesh} of {name}") for mesh in ("meshX", "meshY"))
        own = dict(mapping(entry.get("attributes"), f"attributes of {name}"))
        rules = dict(mapping(entry.get("constraints"), f"constraints of {name}"))
        if tag == "Container":
            shared |= own
            if x * y > 1 or rules:
                waiting.append(Level(name, "fanout", {}, x, y, rules, True))
        elif tag == "Component":
            found += waiting
            waiting.clear()
            found.append(Level(name, str(entry.get("class", "")), {**shared, **own}, x, y, rules, True))
        elif tag != "Nothing":
            notes.append(f"{name}: a node of the type !{tag}")
    return found


def _of_tree(node: Mapping[str, Any], outer: int, shared: dict[str, Any]) -> Iterator[tuple[Level, int]]:
    """Levels of versions 0.2 and 0.3 with the number of their instances in all."""
    name, several = _ranged(str(node.get("name", "")))
    outer *= several
    shared = {**shared, **mapping(node.get("attributes"), f"attributes of {name}")}
    for local in sequence(node.get("local"), f"local of {name}"):
        entry = mapping(local, f"a component of {name}")
        own, instances = _ranged(str(entry.get("name", "")))
        attributes = {**shared, **mapping(entry.get("attributes"), f"attributes of {own}")}
        kind = str(entry.get("class", ""))
        yield Level(own, "fanout" if "dummy" in kind else kind, attributes), outer * instances
    inner = sequence(node.get("subtree"), f"subtree of {name}")
    if len(inner) > 1:
        raise SpecError.one(f"{name or 'the architecture'} has {len(inner)} subtrees: branches are not converted")
    for child in inner:
        yield from _of_tree(mapping(child, f"a subtree of {name}"), outer, shared)


def _relative(levels: list[tuple[Level, int]]) -> list[Level]:
    """Own fanouts from the numbers of instances, and from ``meshX`` as they lie."""
    before, before_x = 1, 1
    result = []
    for level, instances in levels:
        instances = count(level.attributes.get("instances", instances), f"instances of {level.name}")
        if instances % before:
            raise SpecError.one(f"{level.name} has {instances} instances, no multiple of the {before} above it")
        fanout = instances // before
        mesh_x = count(level.attributes.get("meshX", before_x * fanout), f"meshX of {level.name}")
        x = mesh_x // before_x
        if x < 1 or mesh_x % before_x or fanout % x:
            raise SpecError.one(f"{level.name}: {instances} instances cannot lie on a mesh of {mesh_x} columns")
        result.append(attrs.evolve(level, x=x, y=fanout // x))
        before, before_x = instances, mesh_x
    return result


def _ranged(text: str) -> tuple[str, int]:
    """``PE[0..15]`` -> (PE, 16)."""
    found = _RANGE.fullmatch(text)
    if found is None or found["first"] is None:
        return text, 1
    return found["name"], count(int(found["last"]) - int(found["first"]) + 1, f"the instances of {text}")
