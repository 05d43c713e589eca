"""Trees of YAML or JSON as data that mutations can change, and the mutations."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Callable
from typing import Any

import attrs

from ffcore.spec.source.nodes import Node, YamlMap, YamlScalar
from tests.fuzz.hostile import FRAGMENTS, NAMES, SCALARS, TAGS


@attrs.define(eq=False)
class Tree:
    """A scalar (``text``), a list (``items``) or a mapping (``items`` with ``keys``); ``raw`` is written as it is."""

    text: str = ""
    items: list[Tree] | None = None
    keys: list[str] | None = None
    tag: str = ""
    raw: bool = False

    def copy(self) -> Tree:
        items = None if self.items is None else [item.copy() for item in self.items]
        return Tree(self.text, items, None if self.keys is None else list(self.keys), self.tag, self.raw)


def of_node(node: Node) -> Tree:
    """The tree of a loaded YAML node."""
    tag = f"!{node.tag}" if node.tag else ""
    if isinstance(node, YamlScalar):
        return Tree(node.text, tag=tag)
    if isinstance(node, YamlMap):
        return Tree(items=[of_node(v) for _, v in node.entries.values()], keys=list(node.entries), tag=tag)
    return Tree(items=[of_node(item) for item in node.items], tag=tag)


def of_data(data: Any) -> Tree:
    """The tree of JSON data."""
    if isinstance(data, dict):
        return Tree(items=[of_data(v) for v in data.values()], keys=list(data))
    if isinstance(data, list):
        return Tree(items=[of_data(v) for v in data])
    return Tree(json.dumps(data), raw=True)


_PLAIN = re.compile(r"[A-Za-z0-9_.~+][A-Za-z0-9_.~+-]*")


def as_yaml(tree: Tree) -> str:
    """Flow style, on one line."""
    tag = f"{tree.tag} " if tree.tag else ""
    if tree.items is None:
        return tag + (tree.text if tree.raw or _PLAIN.fullmatch(tree.text) else json.dumps(tree.text))
    if tree.keys is None:
        return f"{tag}[{', '.join(map(as_yaml, tree.items))}]"
    entries = [f"{_key(k)}: {as_yaml(v)}" for k, v in zip(tree.keys, tree.items, strict=True)]
    return f"{tag}{{{', '.join(entries)}}}"


def _key(key: str) -> str:
    return key if key in ("<<", "<<<") or _PLAIN.fullmatch(key) else json.dumps(key)


def as_json(tree: Tree) -> str:
    """JSON, or what was once."""
    if tree.items is None:
        return tree.text if tree.raw else json.dumps(tree.text)
    if tree.keys is None:
        return f"[{', '.join(map(as_json, tree.items))}]"
    entries = [f"{json.dumps(k)}: {as_json(v)}" for k, v in zip(tree.keys, tree.items, strict=True)]
    return "{" + ", ".join(entries) + "}"


def walk(tree: Tree) -> list[Tree]:
    """The tree and all that is in it, in the order of the text."""
    found, waiting = [], [tree]
    while waiting:
        found.append(here := waiting.pop())
        if here.items:
            waiting += reversed(here.items)
    return found


# -- mutations: each changes the tree at one place, if it can ------------------------------------------------


def mutate(tree: Tree, rng: random.Random, pool: list[Tree]) -> None:
    """Change one place; ``pool``: trees of which parts may come."""
    places = walk(tree)
    place = rng.choice(places[1:] or places)
    rng.choice(_MUTATIONS)(place, rng, pool)


def _scalar(place: Tree, rng: random.Random, pool: list[Tree]) -> None:
    _become(place, Tree(rng.choice(SCALARS)))


def _tag(place: Tree, rng: random.Random, pool: list[Tree]) -> None:
    place.tag = rng.choice(TAGS)


def _fragment(place: Tree, rng: random.Random, pool: list[Tree]) -> None:
    _become(place, Tree(rng.choice(FRAGMENTS), raw=True))


def _other(place: Tree, rng: random.Random, pool: list[Tree]) -> None:
    _become(place, rng.choice(walk(rng.choice(pool))).copy())


def _drop(place: Tree, rng: random.Random, pool: list[Tree]) -> None:
    if place.items:
        at = rng.randrange(len(place.items))
        del place.items[at]
        if place.keys is not None:
            del place.keys[at]


def _twice(place: Tree, rng: random.Random, pool: list[Tree]) -> None:
    if place.items:
        at = rng.randrange(len(place.items))
        place.items.insert(at, place.items[at].copy())
        if place.keys is not None:
            place.keys.insert(at, rng.choice([place.keys[at], place.keys[at] + "2", "<<", "<<<"]))


def _key_of(place: Tree, rng: random.Random, pool: list[Tree]) -> None:
    if place.keys:
        others = [k for tree in pool for t in walk(tree) for k in t.keys or ()]
        place.keys[rng.randrange(len(place.keys))] = rng.choice([*NAMES, *rng.sample(others, min(20, len(others)))])


def _add(place: Tree, rng: random.Random, pool: list[Tree]) -> None:
    if place.items is None:
        return
    donor = rng.choice([t for tree in pool for t in walk(tree) if t.keys] or [place])
    if place.keys is None:
        place.items.insert(rng.randint(0, len(place.items)), donor.copy())
    elif donor.keys and donor.items:
        at = rng.randrange(len(donor.keys))
        key, item = donor.keys[at], donor.items[at].copy()  # place may be a part of it
        place.keys.append(key)
        place.items.append(item)


def _swap(place: Tree, rng: random.Random, pool: list[Tree]) -> None:
    if place.items and len(place.items) > 1:
        a, b = rng.sample(range(len(place.items)), 2)
        place.items[a], place.items[b] = place.items[b], place.items[a]


def _wrap(place: Tree, rng: random.Random, pool: list[Tree]) -> None:
    inner = place.copy()
    for _ in range(rng.choice([1, 1, 2, 30, 120])):
        inner = Tree(items=[inner], keys=rng.choice([None, ["x"]]))
    _become(place, inner)


def _many(place: Tree, rng: random.Random, pool: list[Tree]) -> None:
    """The same again and again: a hundred, or thousands."""
    if place.items:
        item = rng.choice(place.items)
        times = rng.choice([20, 300, 3000]) if len(walk(item)) < 30 else 20
        if place.keys is None:
            place.items += [item.copy() for _ in range(times)]
        else:
            place.keys += [f"K{i}" for i in range(times)]
            place.items += [item.copy() for _ in range(times)]


def _nudge(place: Tree, rng: random.Random, pool: list[Tree]) -> None:
    """A text changed at one character."""
    if place.items is None and place.text:
        at = rng.randrange(len(place.text))
        new = rng.choice([*"()[]{}:,*&!|>'\"%@#-+/\\=<~ \t01eE.x_", "\x00", "\u202e", "é", ""])
        place.text = place.text[:at] + new + place.text[at + rng.randint(0, 1) :]


def _become(place: Tree, other: Tree) -> None:
    place.text, place.items, place.keys, place.tag, place.raw = (
        other.text,
        other.items,
        other.keys,
        other.tag,
        other.raw,
    )


_MUTATIONS: list[Callable[[Tree, random.Random, list[Tree]], None]] = [
    *(_scalar, _scalar, _scalar, _nudge, _nudge, _other, _other, _drop, _drop, _twice, _key_of, _add, _add),
    *(_swap, _wrap, _many, _tag, _fragment),
]


def mutate_text(text: str, rng: random.Random, others: list[str]) -> str:
    """Change a text at one place, knowing nothing of what it means."""
    at = rng.randint(0, len(text))
    end = min(len(text), at + rng.choice([0, 1, 5, 40, 400]))
    lines = text.splitlines(keepends=True) or [""]
    which = rng.randrange(7)
    if which == 0:
        return text[:at] + text[end:]
    if which == 1:
        return text[:at] + rng.choice(FRAGMENTS) + text[end:]
    if which == 2:
        return text[:at] + rng.choice(SCALARS) + text[end:]
    if which == 3:
        other = rng.choice(others)
        return text[:at] + other[rng.randint(0, len(other)) :]
    if which == 4:
        line = rng.choice(lines)
        return text[:at] + rng.choice([1, 3, 200]) * line + text[at:]
    if which == 5:
        del lines[rng.randrange(len(lines))]
        return "".join(lines)
    return (
        text[:at] + chr(rng.choice([0, 9, 10, 13, 27, 123, 125, 37, 35, 39, 34, 0x2028, 0xE000, 0xFEFF])) + text[end:]
    )


def mutate_bytes(data: bytes, rng: random.Random) -> bytes:
    """Flip, cut, repeat or fill bytes."""
    if not data:
        return bytes(rng.randrange(256) for _ in range(20))
    at, which = rng.randrange(len(data)), rng.randrange(5)
    if which == 0:
        return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
    if which == 1:
        return data[:at]
    if which == 2:
        return data[:at] + bytes(rng.choice([8, 500])) + data[at + 8 :]
    if which == 3:
        return data[:at] + data[: rng.randrange(len(data))] + data[at:]
    return rng.choice([b"", b"\xff\xfe", b"PK\x03\x04", b"{" * 100_000, b"[" * 100_000, b"null", b"\x00" * 1000])
