"""What of the architecture is the same for all Einsums: its nodes, and which names their fields mention."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress

import attrs

from ffcore.errors import SpecError
from ffcore.spec.architecture import Arch, Array, Fork
from ffcore.spec.convert import dump
from ffcore.spec.expressions import names_in
from ffcore.spec.resolve.nodes import mentions
from ffcore.spec.resolve.tree import Place, forks, places, spread_memories

# A dot that is neither in a number nor before what a set offers.
_READS_FIELDS = re.compile(r"\.(?!\s*(?:\d|(?:tensors|rank_variables|bits_per_value)\b))")


@attrs.frozen
class ArchLayout:
    """What of the architecture is the same for all Einsums."""

    places: Mapping[str, Place]
    mentioned: Mapping[str, frozenset[str]]
    """For each node, the names that its fields depend on, through fields of other nodes too."""
    fixed: frozenset[str]
    """Nodes of which no field can depend on what memories keep, as they mention no other node."""
    fixed_costs: frozenset[str]
    """Nodes of which only the rules for tensors can."""
    forks: tuple[tuple[Fork, frozenset[str], frozenset[str]], ...]
    """Each Fork, the names of the nodes inside, and of those that follow it."""
    spread: Mapping[str, tuple[Array, bool]]
    """See `spread_memories`."""

    @classmethod
    def of(cls, arch: Arch) -> ArchLayout:
        found = {p.node.name: p for p in places(arch.nodes)}
        texts = {name: dump(p.node, nested=False) for name, p in found.items()}
        mentioned = _mentioned(texts)
        priced = _mentioned({name: {k: v for k, v in text.items() if k != "tensors"} for name, text in texts.items()})

        def alone(names: Mapping[str, frozenset[str]]) -> frozenset[str]:
            return frozenset(n for n, others in names.items() if (others - {n}).isdisjoint((*found, "Above")))

        every = tuple(forks(arch.nodes))
        return cls(found, mentioned, alone(mentioned), alone(priced), every, spread_memories(arch))


def _mentioned(texts: Mapping[str, object]) -> Mapping[str, frozenset[str]]:
    direct: dict[str, frozenset[str]] = {}
    opened: dict[str, frozenset[str]] = {}  # names in texts that read fields of something
    for node, content in texts.items():
        names: dict[bool, set[str]] = {False: set(), True: set()}
        for text in mentions(content):
            try:
                names[_READS_FIELDS.search(text) is not None] |= names_in(text)
            except SpecError:
                continue  # a word that is no expression; a broken expression is reported when evaluated
        direct[node] = frozenset(names[False] | names[True])
        opened[node] = frozenset(names[True])
    while True:
        before = direct, opened
        direct = {n: f.union(*(direct[m] for m in opened[n] if m in direct)) for n, f in direct.items()}
        opened = {n: o.union(*(opened[m] for m in o if m in opened)) for n, o in opened.items()}
        if (direct, opened) == before:
            return direct


def names_in_nodes(arch: Arch) -> Mapping[str, tuple[frozenset[str], frozenset[str]]]:
    """Per node, the names that its own fields mention, and those of them that stand beside a read of some field.

    What an expression reads of another node is a field of it or what it keeps; ``size`` alone is the node's own field.
    """
    found = {}
    for place in places(arch.nodes):
        names: dict[bool, set[str]] = {False: set(), True: set()}
        for text in mentions(list(dump(place.node, nested=False).values())):  # its keys are names of fields
            with suppress(SpecError):  # a word that is no expression
                names[_READS_FIELDS.search(text) is not None] |= names_in(text)
        found[place.node.name] = frozenset(names[False] | names[True]), frozenset(names[True])
    return found
