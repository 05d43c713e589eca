"""The moves of the searches, as a table.

Each changes one Einsum's pmapping; its neighbours are repaired where keys change. A move gives the Einsum's new
pmapping, or None where it does not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import attrs

from ffcore_simanneal.parts import Key, Part
from ffcore_simanneal.plan import Blocks, Gene
from ffcore_simanneal.repair import repair
from ffcore_simanneal.search import Space, pick
from ffcore_simanneal.space import random_divisor

Change: TypeAlias = Callable[[Space, int, Part], "Part | None"]


@attrs.frozen
class Move:
    """One way to change a mapping."""

    name: str
    weight: float  # how often it is tried, relative to the others
    change: Change
    summary: str


def _tile(space: Space, place: int, part: Part, *, fused: bool) -> Part | None:
    gene: Gene = part.source
    plan = gene.plan
    first = 0 if fused else plan.fused_cut
    choices = []
    for v, slots in enumerate(plan.slots):
        own = [b for b in slots if b >= first]
        if plan.iterations[v] > 1 and len(own) > 1:
            choices.append((v, own))
    if not choices:
        return None
    v, own = space.source.choice(choices)
    trips = {b: n for b in own for w, n, spatial in gene.blocks[b + 1] if w == v and spatial < 0}
    if not trips:
        return None
    start = space.source.choice(list(trips))
    end = space.source.choice([b for b in own if b != start])
    n = random_divisor(space.source, trips[start])
    blocks = _with_trips(gene.blocks, v, {start: trips[start] // n, end: trips.get(end, 1) * n})
    return space.charged_part(place, part, blocks)


def _with_trips(blocks: Blocks, v: int, trips: dict[int, int]) -> Blocks:
    """The loops with other trip counts of variable ``v`` in some blocks."""
    result = list(blocks)
    for b, n in trips.items():
        entries = [(w, n if w == v and s < 0 else m, s) for w, m, s in result[b + 1]]
        if n > 1 and not any(w == v and s < 0 for w, _, s in entries):
            entries.append((v, n, -1))
        result[b + 1] = tuple(e for e in entries if e[1] > 1)
    return tuple(result)


def tile(space: Space, place: int, part: Part) -> Part | None:
    """``for m 8: [A] for m 4`` becomes ``for m 4: [A] for m 8``, below the fused loops: no other Einsum sees it."""
    return _tile(space, place, part, fused=False)


def fused_tile(space: Space, place: int, part: Part) -> Part | None:
    """The same with any loops, so that a fused loop may come, go or change its tile."""
    return _tile(space, place, part, fused=True)


def order(space: Space, place: int, part: Part) -> Part | None:
    """Two neighbouring fused loops of one block change places."""
    gene: Gene = part.source
    last = gene.plan.fused_cut + 1
    pairs = [(b, k) for b, entries in enumerate(gene.blocks[:last]) for k in range(len(entries) - 1)]
    if not pairs:
        return None
    b, k = space.source.choice(pairs)
    entries = list(gene.blocks[b])
    entries[k], entries[k + 1] = entries[k + 1], entries[k]
    return space.charged_part(place, part, (*gene.blocks[:b], tuple(entries), *gene.blocks[b + 1 :]))


def holder(space: Space, place: int, part: Part) -> Part | None:
    """A holder moves, comes or goes: another template with the same keys, inner tiles taken over where possible."""
    own = space.einsums[place]
    wanted = dict(enumerate(part.keys))
    others = [t for t in own.candidates(wanted) if t != own.number(part.source.plan)]
    return space.charged(place, wanted, part, space.source.choice(others)) if others else None


def spatial(space: Space, place: int, part: Part) -> Part | None:
    """Other trip counts of spatial loops, with the same template and keys."""
    own = space.einsums[place]
    template = own.number(part.source.plan)
    if len(own.choices[template].numbers) < 2:
        return None
    return space.charged(place, dict(enumerate(part.keys)), part, template)


def unfuse(space: Space, place: int, part: Part) -> Part | None:
    """A shared tensor goes above all loops, in any memory; the others keep their keys where that is possible."""
    own = space.einsums[place]
    if not part.keys:
        return None
    position = space.source.randrange(len(part.keys))
    site = own.sites[space.source.choice(own.usable)][position]
    tensor = own.einsum.tensor[own.shared[position]]
    memory = own.templates[own.usable[0]].components[site.index].name
    return _with_key(space, place, part, position, own.table.key(memory, tensor.persistent, ()))


def refuse(space: Space, place: int, part: Part) -> Part | None:
    """A shared tensor gets another memory or other loops, drawn at random; the others keep their keys."""
    if not part.keys:
        return None
    position = space.source.randrange(len(part.keys))
    return _with_key(space, place, part, position, None)


def _with_key(space: Space, place: int, part: Part, position: int, key: Key | None) -> Part | None:
    wanted = {k: own for k, own in enumerate(part.keys) if k != position}
    if key is not None:
        wanted[position] = key
    drawn = space.draw(place, wanted, part)
    if drawn is None and key is not None:
        return space.draw(place, {position: key}, part)
    return drawn


def anew(space: Space, place: int, part: Part) -> Part | None:
    """Any other pmapping of the Einsum."""
    return space.draw(place, {}, part)


MOVES: tuple[Move, ...] = (
    Move("tile", 8, tile, "move a factor of a rank variable between two loops below the fused ones"),
    Move("fused tile", 3, fused_tile, "move a factor between any two loops of a rank variable"),
    Move("order", 1, order, "swap two neighbouring fused loops of a block"),
    Move("holder", 4, holder, "move, add or drop holders: another template with the same compatibility"),
    Move("spatial", 2, spatial, "other trip counts of spatial loops"),
    Move("unfuse", 1, unfuse, "put a shared tensor above all loops"),
    Move("compatibility", 2, refuse, "give a shared tensor another memory or other fused loops"),
    Move("anew", 0.5, anew, "draw the Einsum's pmapping anew"),
)
"""All moves. After each, Einsums that disagree with the changed one are drawn anew to agree (`repair`)."""

_WEIGHTS = [move.weight for move in MOVES]


def neighbour(space: Space, parts: Sequence[Part]) -> list[Part] | None:
    """The mapping after one random move, repaired; None if it does not apply or cannot be repaired."""
    place = space.source.randrange(len(parts))
    move = MOVES[pick(space.source, _WEIGHTS)]
    changed = move.change(space, place, parts[place])
    if changed is None or changed is parts[place]:
        return None
    result = list(parts)
    result[place] = changed
    if all(a is b for a, b in zip(changed.keys, parts[place].keys, strict=True)):
        return result
    return repair(space.joint, result, [place], space.draw)
