"""From files to one tree of nodes: Jinja, YAML, includes and merge keys."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs
from jinja2 import pass_context
from jinja2.runtime import Context

from ffcore.errors import ErrorCollector, Position, SpecError
from ffcore.spec.source.compose import Sizes, compose, select
from ffcore.spec.source.files import FileAccess, SourceProblem, display, near_files, read_text
from ffcore.spec.source.lines import unmark
from ffcore.spec.source.nodes import Node, YamlMap, YamlScalar, YamlSeq
from ffcore.spec.source.render import IncludedText, IncludedValue, make_environment, render
from ffcore.spec.source.sandbox import Meter

MAX_INCLUDE_DEPTH = 20
MAX_INCLUDES = 1000


def load_sources(
    files: Sequence[str | Path],
    jinja_data: Mapping[str, object],
    allowed_dirs: Sequence[str | Path] = (),
    asked: set[str] | None = None,
) -> YamlMap:
    """Read YAML files into one mapping of their top-level keys.

    Each file is a Jinja2 template over ``jinja_data`` (sandboxed; undefined names are errors), then YAML.
    Other files are read only from below the folders of ``files`` and ``allowed_dirs``, links resolved.
    The names that templates looked up are added to ``asked``.
    Raises SpecError with all problems that were found, at most one of each file.
    """
    folders = [Path(file).absolute().parent for file in files]
    access = FileAccess.for_folders([*folders, *allowed_dirs])
    errors = ErrorCollector()
    merged: dict[str, tuple[YamlScalar, Node]] = {}
    for file in files:
        with errors.catch():
            try:
                text = read_text(Path(file))
            except SourceProblem as problem:
                raise SpecError.one(problem.message, None, problem.suggestion) from None
            load = _Load(access, jinja_data)
            top = load.top_level(text, str(file), Path(file).absolute().parent)
            if asked is not None:
                asked |= load.environment.asked
            for name, (key, value) in top.entries.items():
                if name in merged:
                    errors.add(f"the top-level key {name!r} stands at {merged[name][0].position} too", key.position)
                else:
                    merged[name] = (key, value)
    errors.raise_if_any()
    return YamlMap(merged, None, Position(str(files[0]) if files else "<no file>", 1))


def load_text(
    text: str,
    name: str = "<string>",
    jinja_data: Mapping[str, object] | None = None,
    allowed_dirs: Sequence[str | Path] = (),
) -> YamlMap:
    """Read YAML text as if it were the file ``name``; what it includes is looked up in ``allowed_dirs``."""
    load = _Load(FileAccess.for_folders(allowed_dirs), jinja_data or {})
    return load.top_level(text, name, *load.access.folders)


@attrs.define
class _File:
    """One use of a file: how messages show it, and where the names that it includes are looked up."""

    place: str
    number: int
    folders: tuple[Path, ...]


class _Load:
    """The state of loading one top-level file."""

    def __init__(self, access: FileAccess, data: Mapping[str, object]) -> None:
        self.access = access
        self.data = data
        self.environment = make_environment(Meter())
        self.files: list[_File] = []
        self.values: list[Node] = []  # what the placeholders stand for
        self.search: list[Path] = []  # folders that templates added
        self.sizes = Sizes()
        self.depth = 0

    def top_level(self, text: str, place: str, *folders: Path) -> YamlMap:
        try:
            node = self.parse(text, self.new_file(place, folders), self.data)
        except RecursionError:  # deep files that include deep files
            raise SpecError.one("values and includes are nested too deeply", Position(place, 1)) from None
        if isinstance(node, YamlMap):
            return node
        raise SpecError.one("a spec file must be a mapping of top-level keys", node.position)

    def new_file(self, place: str, folders: tuple[Path, ...]) -> _File:
        if len(self.files) >= MAX_INCLUDES:
            raise SourceProblem(f"more than {MAX_INCLUDES} files are included")
        file = _File(place, len(self.files), folders)
        self.files.append(file)
        return file

    def parse(self, text: str, file: _File, variables: Mapping[str, object]) -> Node:
        rendered = unmark(self.render(text, file, variables), file.number)
        node = compose(rendered, self.position, self, self.sizes)
        return YamlMap({}, None, Position(file.place, 1)) if node is None else node

    def render(self, text: str, file: _File, variables: Mapping[str, object]) -> str:
        helpers = _Helpers(self, file).table()
        with self.deeper():
            return render(self.environment, text, file.place, file.number, variables, helpers)

    def position(self, number: int, line: int) -> Position:
        return Position(self.files[number].place, line)

    @contextmanager
    def deeper(self) -> Iterator[None]:
        if self.depth >= MAX_INCLUDE_DEPTH:
            raise SourceProblem(f"includes are nested more than {MAX_INCLUDE_DEPTH} deep")
        self.depth += 1
        try:
            yield
        finally:
            self.depth -= 1

    # What the composer asks for.

    def included(self, number: int) -> Node:
        if number >= len(self.values):
            raise SourceProblem("a placeholder stands for no included value")
        return self.values[number]

    def load_tagged(self, name: str, position: Position) -> Node:
        file = next(f for f in self.files if f.place == position.file)
        with self.deeper():
            return self.load(self.access.find(name, [*file.folders, *self.search]), self.data)

    def load(self, path: Path, variables: Mapping[str, object]) -> Node:
        return self.parse(read_text(path), self.new_file(display(path), (path.parent,)), variables)


class _Helpers:
    """The functions that one file's template can call."""

    def __init__(self, load: _Load, file: _File) -> None:
        self._load = load
        self._file = file

    def table(self) -> dict[str, Callable[..., object]]:
        """Name in the template -> function."""
        names = ("include", "include_all", "include_text", "find_path", "path_exists", "add_to_path", "cwd")
        return {name: getattr(self, name) for name in names}

    def _folders(self) -> list[Path]:
        return [*self._file.folders, *self._load.search]

    def _value(self, node: Node) -> object:
        """Numbers and text as they are, so that templates can compute with them; the rest by placeholder."""
        if isinstance(node, YamlScalar) and node.value is not None:
            return node.value
        self._load.values.append(node)
        return IncludedValue(len(self._load.values) - 1)

    def _node(self, context: Context, path: Path, key: str) -> Node:
        node = self._load.load(path, context.get_all())
        for step in key.split(".") if key else ():
            node = select(node, step)
        return node

    @pass_context
    def include(self, context: Context, file: str, key: str = "") -> object:
        """Data of another file, or what stands there under the dotted ``key``."""
        return self._value(self._node(context, self._load.access.find(str(file), self._folders()), str(key)))

    @pass_context
    def include_all(self, context: Context, folder: str, key: str = "") -> object:
        """As `include` of every YAML file in a folder by name: lists are joined, mappings merged."""
        path = self._load.access.find(str(folder), self._folders())
        names = [name for name in near_files(path) if name.endswith((".yaml", ".yml"))]
        if not names:
            raise SourceProblem(f"there is no YAML file in {str(path)!r}")
        nodes = [self._node(context, self._load.access.check(path / name), str(key)) for name in names]
        return self._value(_joined(nodes))

    @pass_context
    def include_text(self, context: Context, file: str) -> str:
        """The rendered text of another file."""
        path = self._load.access.find(str(file), self._folders())
        inner = self._load.new_file(display(path), (path.parent,))
        marked = self._load.render(read_text(path), inner, context.get_all())
        return IncludedText.make(unmark(marked, inner.number).text, marked)

    def find_path(self, file: str) -> str:
        """Full path of a file that `include` would find."""
        return str(self._load.access.find(str(file), self._folders()))

    def path_exists(self, file: str) -> bool:
        """Whether `include` would find the file."""
        return self._load.access.find_or_none(str(file), self._folders()) is not None

    def add_to_path(self, folder: str) -> str:
        """Look for included files in this folder too, from now on; writes nothing."""
        base = self._file.folders[:1] or tuple(self._folders())
        path = self._load.access.find(str(folder), base)
        if not path.is_dir():
            raise SourceProblem(f"{str(path)!r} is not a folder")
        if path not in self._load.search:
            self._load.search.append(path)
        return ""

    def cwd(self) -> str:
        """The folder that the program runs in."""
        return str(Path.cwd())


def _joined(nodes: Sequence[Node]) -> Node:
    first = nodes[0]
    if all(isinstance(node, YamlSeq) for node in nodes):
        return YamlSeq(
            [item for node in nodes if isinstance(node, YamlSeq) for item in node.items], None, first.position
        )
    entries: dict[str, tuple[YamlScalar, Node]] = {}
    for node in nodes:
        if not isinstance(node, YamlMap):
            raise SourceProblem("include_all joins lists only with lists, and mappings only with mappings")
        for name, (key, value) in node.entries.items():
            if name in entries:
                raise SpecError.one(f"the key {name!r} stands at {entries[name][0].position} too", key.position)
            entries[name] = (key, value)
    return YamlMap(entries, None, first.position)
