"""YAML text to nodes that know their lines: anchors, merge keys, included values.

The parser is PyYAML's, up to its events; no YAML tag ever makes a Python object.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, Protocol

import attrs
import yaml

from ffcore.errors import Position, SpecError, suggest
from ffcore.spec.source.files import SourceProblem
from ffcore.spec.source.lines import TOKEN_CLOSE, TOKEN_OPEN, RenderedText
from ffcore.spec.source.nodes import Node, YamlMap, YamlScalar, YamlSeq
from ffcore.spec.source.scalars import collection_tag, resolve_scalar

MAX_NODES = 200_000  # of one load, with aliases and included values counted wherever they are used
MAX_READ = 2 * MAX_NODES  # of one load, of which only a part may be used
MAX_DEPTH = 100

MERGE, DEEP_MERGE = "<<", "<<<"
NO_MERGE = "nomerge"  # the tag of a value that `<<<` leaves as it is

_TOKEN = re.compile(rf"{TOKEN_OPEN}([0-9]+){TOKEN_CLOSE}((?:\.[A-Za-z_]\w*|\[[0-9]+\])*)")
_LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the same events, ten times as fast


class Includes(Protocol):
    """What the composer asks of the loader."""

    def included(self, number: int) -> Node:
        """The value that a placeholder stands for."""

    def load_tagged(self, name: str, position: Position) -> Node:
        """The content of the file that ``!include name`` at ``position`` names."""

    def load_folder(self, name: str, position: Position) -> list[Node]:
        """The contents of the YAML files of the folder that ``!includedir name`` names, by name."""


class Sizes:
    """Expanded size and depth of the nodes of one load, so that aliases and includes stay within bounds."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []  # keeps them alive: an id is only unique among living objects
        self._sizes: dict[int, tuple[int, int]] = {}
        self.read = 0  # nodes of all files

    def register(self, node: YamlSeq | YamlMap) -> None:
        """Note a finished list or mapping; SpecError if it is too large or too deep.

        The size counts each use of a shared node.
        """
        children = node.items if isinstance(node, YamlSeq) else [value for _, value in node.entries.values()]
        size, depth = 1, 0
        for child in children:
            child_size, child_depth = self._sizes.get(id(child), (1, 1))
            size += child_size
            depth = max(depth, child_depth)
        if size > MAX_NODES:
            raise SpecError.one(f"aliases and includes expand to more than {MAX_NODES} values", node.position)
        if depth >= MAX_DEPTH:
            raise SpecError.one(f"values are nested more than {MAX_DEPTH} deep", node.position)
        self._nodes.append(node)
        self._sizes[id(node)] = (size, depth + 1)


def compose(
    rendered: RenderedText, position_of: Callable[[int, int], Position], includes: Includes, sizes: Sizes
) -> Node | None:
    """The only document of ``rendered``, None if it is empty.

    ``position_of`` makes a position of (number of the file, line).
    """
    return _Composer(rendered, position_of, includes, sizes).document()


class _Composer:
    def __init__(
        self,
        rendered: RenderedText,
        position_of: Callable[[int, int], Position],
        includes: Includes,
        sizes: Sizes,
    ) -> None:
        self.rendered = rendered
        self.position_of = position_of
        self.includes = includes
        self.sizes = sizes
        self.anchors: dict[str, Node] = {}
        self.open_anchors: list[str] = []
        self.n_nodes = 0
        self.parser: Any = None

    def at(self, mark: Any) -> Position:
        return self.position_of(*self.rendered.origin(mark.index))

    def document(self) -> Node | None:
        try:
            self.parser = _LOADER(self.rendered.text)
            return self.content()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            about = " ".join(part for part in (error.problem, error.context) if part)
            raise SpecError.one(f"not valid YAML ({_clean(about)})", self.at(mark) if mark else None) from None
        except yaml.reader.ReaderError as error:
            character = f"character U+{error.character:04X}" if isinstance(error.character, int) else "a character"
            position = self.position_of(*self.rendered.origin(error.position))
            raise SpecError.one(f"not valid YAML ({character} is not allowed)", position) from None
        except UnicodeEncodeError as error:
            position = self.position_of(*self.rendered.origin(error.start))
            raise SpecError.one("not valid YAML (half of a surrogate pair)", position) from None
        finally:
            if self.parser is not None:
                self.parser.dispose()

    def without_tag(self, node: Node, done: dict[int, Node]) -> Node:
        """The node with every tag ``!nomerge`` taken off; ``done``: nodes that were, by their ids."""
        if id(node) in done:
            return done[id(node)]
        tag = None if node.tag == NO_MERGE else node.tag
        made: Node
        if isinstance(node, YamlScalar):
            made = attrs.evolve(node, tag=tag)
        elif isinstance(node, YamlSeq):
            made = YamlSeq([self.without_tag(item, done) for item in node.items], tag, node.position)
        else:
            entries = {text: (key, self.without_tag(value, done)) for text, (key, value) in node.entries.items()}
            made = attrs.evolve(node, entries=entries, tag=tag)
        if not isinstance(made, YamlScalar):
            self.sizes.register(made)
        done[id(node)] = made
        return made

    def content(self) -> Node | None:
        self.take(yaml.StreamStartEvent)
        if self.parser.check_event(yaml.StreamEndEvent):
            return None
        self.take(yaml.DocumentStartEvent)
        node, _ = self.node(0)
        self.take(yaml.DocumentEndEvent)
        if f"!{NO_MERGE}" in self.rendered.text:
            node = self.without_tag(node, {})
        if not self.parser.check_event(yaml.StreamEndEvent):
            raise SpecError.one("a file may hold only one YAML document", self.at(self.parser.peek_event().start_mark))
        return node

    def take(self, kind: type[yaml.Event]) -> Any:
        event = self.parser.get_event()
        assert isinstance(event, kind), event
        return event

    def node(self, depth: int) -> tuple[Node, bool]:
        """The next node, and whether it is an included value (which a list takes item by item)."""
        event = self.parser.get_event()
        position = self.at(event.start_mark)
        self.n_nodes += 1
        self.sizes.read += 1
        if self.n_nodes > MAX_NODES:
            raise SpecError.one(f"a file may hold at most {MAX_NODES} values", position)
        if self.sizes.read > MAX_READ:
            raise SpecError.one(f"the included files hold more than {MAX_READ} values together", position)
        if depth > MAX_DEPTH:
            raise SpecError.one(f"values are nested more than {MAX_DEPTH} deep", position)
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event.anchor or "", position), False
        anchor = event.anchor
        if anchor is not None:
            self.anchors.pop(anchor, None)  # a later anchor of the same name counts from here on
            self.open_anchors.append(anchor)
        made, spliced = self.build(event, position, depth)
        if anchor is not None:
            self.open_anchors.pop()
            self.anchors[anchor] = made
        return made, spliced

    def alias(self, name: str, position: Position) -> Node:
        if name in self.open_anchors:
            raise SpecError.one(f"the alias *{name} stands inside of what it names", position)
        if name not in self.anchors:
            raise SpecError.one(f"the alias *{name} names nothing above it", position, suggest(name, self.anchors))
        return self.anchors[name]

    def build(self, event: Any, position: Position, depth: int) -> tuple[Node, bool]:
        try:
            if isinstance(event, yaml.ScalarEvent):
                return self.scalar(event, position)
            made: YamlSeq | YamlMap
            if isinstance(event, yaml.SequenceStartEvent):
                made = self.sequence(collection_tag(event.tag, "seq"), position, depth)
            else:
                made = self.mapping(collection_tag(event.tag, "map"), position, depth)
        except SourceProblem as problem:
            raise SpecError.one(problem.message, position, problem.suggestion) from None
        if made.tag in ("include", "includedir"):
            raise SpecError.one(f"!{made.tag} takes the name of a file or folder", position)
        self.sizes.register(made)
        return made, False

    def scalar(self, event: Any, position: Position) -> tuple[Node, bool]:
        text: str = event.value
        if TOKEN_OPEN in text:
            return self.placeholder(text, event.tag, position), True
        if event.tag == "!include":
            return self.includes.load_tagged(text, position), True
        if event.tag == "!includedir":
            return YamlSeq(self.includes.load_folder(text, position), None, position), False
        value, tag = resolve_scalar(text, not event.style, event.tag)
        return YamlScalar(value, text, tag, position, event.style in ("'", '"')), False

    def placeholder(self, text: str, tag: str | None, position: Position) -> Node:
        found = _TOKEN.fullmatch(text)
        if found is None or tag is not None:
            shown = _TOKEN.sub(r"{{...}}\2", text)
            raise SourceProblem(
                f"an included value must stand alone or be followed by .name or [number], not {shown!r}"
            )
        node = self.includes.included(int(found[1]))
        for step in re.findall(r"\w+", found[2]):
            node = select(node, step)
        return node

    def sequence(self, tag: str | None, position: Position, depth: int) -> YamlSeq:
        items: list[Node] = []
        while not self.parser.check_event(yaml.SequenceEndEvent):
            node, included = self.node(depth + 1)
            if included and isinstance(node, YamlSeq):
                items.extend(node.items)
            else:
                items.append(node)
        self.parser.get_event()
        return YamlSeq(items, tag, position)

    def mapping(self, tag: str | None, position: Position, depth: int) -> YamlMap:
        own: dict[str, tuple[YamlScalar, Node]] = {}
        merges: dict[str, Node] = {}
        anchored: set[str] = set()
        final: set[str] = set()  # keys behind `<<<`: their lists are not added to
        while not self.parser.check_event(yaml.MappingEndEvent):
            key, merge = self.key(depth)
            if isinstance(self.parser.peek_event(), yaml.NodeEvent) and not self.parser.check_event(yaml.AliasEvent):
                anchored |= {key.text} if self.parser.peek_event().anchor else set()
            value, _ = self.node(depth + 1)
            if merge:
                if key.text in merges:
                    raise SpecError.one(f"{key.text} stands twice in one mapping; give it a list", key.position)
                merges[key.text] = value
            elif key.text in own:
                first = own[key.text][0].position
                raise SpecError.one(f"the key {key.text!r} stands twice in one mapping, first at {first}", key.position)
            else:
                own[key.text] = (key, value)
                if DEEP_MERGE in merges:
                    final.add(key.text)
        self.parser.get_event()
        made = YamlMap(own, tag, position, frozenset(anchored))
        for name, value in merges.items():
            made = self.merged(made, name, value, final)
        return made

    def key(self, depth: int) -> tuple[YamlScalar, bool]:
        """The next key, and whether it is a merge key (unquoted)."""
        event = self.parser.peek_event()
        position = self.at(event.start_mark)
        merge = isinstance(event, yaml.ScalarEvent) and not event.style and event.value in (MERGE, DEEP_MERGE)
        node, included = self.node(depth + 1)
        if included or not isinstance(node, YamlScalar):
            raise SpecError.one("a key must be a simple text", position)
        return node, merge

    def merged(self, target: YamlMap, name: str, value: Node, final: Collection[str] = ()) -> YamlMap:
        """``target`` with what it lacks filled in from one mapping or from a list, the first one winning.

        ``<<<`` fills in inside of mappings too, and adds to lists, but for those of the keys ``final``.
        """
        for source in value.items if isinstance(value, YamlSeq) else [value]:
            if not isinstance(source, YamlMap):
                raise SpecError.one(f"{name} takes a mapping or a list of mappings", source.position)
            target = self.filled(target, source, name == DEEP_MERGE, final)
        return target

    def filled(self, target: YamlMap, source: YamlMap, deep: bool, final: Collection[str] = ()) -> YamlMap:
        entries = dict(target.entries)
        for text, (key, value) in source.entries.items():
            if text not in entries:
                entries[text] = (key, value)
                continue
            own_key, own = entries[text]
            if not deep or own.tag == NO_MERGE:
                continue
            if isinstance(own, YamlMap) and isinstance(value, YamlMap):
                entries[text] = (own_key, self.filled(own, value, deep))
            elif isinstance(own, YamlSeq) and isinstance(value, YamlSeq) and text not in final:
                joined = YamlSeq([*own.items, *value.items], own.tag, own.position)
                self.n_nodes += len(joined.items)
                self.sizes.register(joined)
                entries[text] = (own_key, joined)
        made = attrs.evolve(target, entries=entries)
        self.n_nodes += len(entries)
        if self.n_nodes > MAX_NODES:
            raise SpecError.one(f"merging makes more than {MAX_NODES} values", target.position)
        self.sizes.register(made)
        return made


def select(node: Node, step: str) -> Node:
    """The entry or item of ``node`` called ``step``; SourceProblem if there is none."""
    if isinstance(node, YamlMap):
        found = node.get(step)
        if found is None:
            raise SourceProblem(f"the included {node.position.file} has no entry {step!r}", suggest(step, node.entries))
        return found
    if isinstance(node, YamlSeq) and step.isdecimal():
        if int(step) < len(node.items):
            return node.items[int(step)]
        raise SourceProblem(f"the included list at {node.position} has no item {step}")
    raise SourceProblem(f"the included value at {node.position} has no entry {step!r}")


def _clean(message: str) -> str:
    return " ".join(re.sub(f"{TOKEN_OPEN}[0-9]+{TOKEN_CLOSE}", "{{...}}", message).split())
