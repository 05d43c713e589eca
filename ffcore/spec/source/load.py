"""From files to one tree of nodes: Jinja, YAML, includes and merge keys."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
from jinja2 import BaseLoader, Environment, Template, TemplateNotFound, pass_context
from jinja2.runtime import Context

from ffcore.errors import ErrorCollector, Position, SpecError
from ffcore.spec.source.allowed import standing_dirs
from ffcore.spec.source.compose import Sizes, compose, select
from ffcore.spec.source.files import FileAccess, SourceProblem, display, near_files, read_text
from ffcore.spec.source.lines import unmark
from ffcore.spec.source.nodes import Node, YamlMap, YamlScalar, YamlSeq
from ffcore.spec.source.render import IncludedText, IncludedValue, compiled, make_environment, render
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
    access = FileAccess.for_folders([*folders, *allowed_dirs, *standing_dirs()])
    errors = ErrorCollector()
    merged: dict[str, tuple[YamlScalar, Node]] = {}
    anchored: set[str] = set()
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
            anchored |= top.anchored
            for name, (key, value) in top.entries.items():
                if name in merged:
                    errors.add(f"the top-level key {name!r} stands at {merged[name][0].position} too", key.position)
                else:
                    merged[name] = (key, value)
    errors.raise_if_any()
    return YamlMap(merged, None, Position(str(files[0]) if files else "<no file>", 1), frozenset(anchored))


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
        self.environment.loader = _Templates(self)
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
        with self.deeper():
            return self.load(self.access.find(name, self.folders_of(position)), self.data)

    def load_folder(self, name: str, position: Position) -> list[Node]:
        folder = self.access.find(name, self.folders_of(position))
        with self.deeper():
            return [self.load(self.access.check(folder / file), self.data) for file in yaml_files(folder)]

    def folders_of(self, position: Position) -> list[Path]:
        """Where the file that ``position`` lies in looks for others."""
        file = next(f for f in self.files if f.place == position.file)
        return [*file.folders, *self.search]

    def load(self, path: Path, variables: Mapping[str, object]) -> Node:
        return self.parse(read_text(path), self.new_file(display(path), (path.parent,)), variables)


class _Templates(BaseLoader):
    """Templates for Jinja's ``include``, ``import`` and ``extends``: from the folders that a spec may read."""

    def __init__(self, load: _Load) -> None:
        self._load = load

    def load(self, environment: Environment, name: str, globals: MutableMapping[str, Any] | None = None) -> Template:
        """The file ``name``, which is the number of the file that asks, a colon, and what that calls it."""
        number, _, wanted = name.partition(":")
        asking = self._load.files[int(number)]
        path = self._load.access.find_or_none(wanted, [*asking.folders, *self._load.search])
        if path is None:
            raise TemplateNotFound(wanted)
        file = self._load.new_file(display(path), (path.parent,))
        return compiled(
            self._load.environment, read_text(path), file.place, file.number, _Helpers(self._load, file).table()
        )


class _Helpers:
    """The functions that one file's template can call."""

    def __init__(self, load: _Load, file: _File) -> None:
        self._load = load
        self._file = file

    def table(self) -> dict[str, Callable[..., object]]:
        """Name in the template -> function."""
        names = "include include_all include_text find_path find_paths path_exists add_to_path cwd"
        return {name: getattr(self, name) for name in names.split()}

    def _folders(self) -> list[Path]:
        return [*self._file.folders, *self._load.search]

    def _value(self, node: Node) -> object:
        """Numbers and text as they are, so that templates can compute with them; the rest by placeholder."""
        if isinstance(node, YamlScalar) and node.value is not None:
            return node.value
        self._load.values.append(node)
        return IncludedValue(len(self._load.values) - 1)

    def _paths(self, pattern: str) -> list[Path]:
        """The files that a name or a pattern such as ``parts/*.yaml`` means; SourceProblem if there is none."""
        if not glob.has_magic(pattern):
            return [self._load.access.find(pattern, self._folders())]
        found = {
            self._load.access.check(path): None
            for folder in self._folders()
            for path in self._matching(folder, pattern)
        }
        if not found:
            raise SourceProblem(f"no file matches {pattern!r} in {', '.join(map(str, self._folders()))}")
        return list(found)

    def _matching(self, folder: Path, pattern: str) -> list[Path]:
        """What a pattern means in a folder; nobody looks outside of those that may be read."""
        parts = Path(pattern).parts
        magic = next(k for k, part in enumerate(parts) if glob.has_magic(part))
        if ".." in parts[magic:]:
            raise SourceProblem(f"'..' may not stand behind a wildcard, as in {pattern!r}")
        if Path(pattern).is_absolute():
            return []
        self._load.access.check(folder / pattern)
        return sorted(folder.joinpath(*parts[:magic]).glob(str(Path(*parts[magic:]))))

    def _variables(self, context: Context, inherit: object, own: Mapping[str, object]) -> Mapping[str, object]:
        """What an included file may use: what the one that includes it has, and what the call adds."""
        return {**(context.get_all() if inherit else {}), **own}

    def _included(self, path: Path, key: str, variables: Mapping[str, object]) -> Node:
        node = self._load.load(path, variables)
        for step in key.split(".") if key else ():
            node = select(node, step)
        return node

    @pass_context
    def include(
        self, context: Context, file: str, key: str = "", inherit_parse_data: bool = True, **variables: object
    ) -> object:
        """Data of another file, or what stands there under the dotted ``key``; ``N=3``: a parameter for it."""
        (path, *more) = self._paths(str(file))
        if more:
            raise SourceProblem(f"{file!r} matches {len(more) + 1} files; include_all takes them all")
        return self._value(self._included(path, str(key), self._variables(context, inherit_parse_data, variables)))

    @pass_context
    def include_all(
        self, context: Context, folder: str, key: str = "", inherit_parse_data: bool = True, **variables: object
    ) -> object:
        """As `include` of every YAML file in a folder, or that matches a pattern: lists are joined, mappings merged."""
        paths = self._paths(str(folder))
        if len(paths) == 1 and paths[0].is_dir():
            paths = [self._load.access.check(paths[0] / name) for name in yaml_files(paths[0])]
        data = self._variables(context, inherit_parse_data, variables)
        return self._value(_joined([self._included(path, str(key), data) for path in paths]))

    @pass_context
    def include_text(self, context: Context, file: str, inherit_parse_data: bool = True, **variables: object) -> str:
        """The rendered text of another file."""
        path = self._load.access.find(str(file), self._folders())
        inner = self._load.new_file(display(path), (path.parent,))
        marked = self._load.render(read_text(path), inner, self._variables(context, inherit_parse_data, variables))
        return IncludedText.make(unmark(marked, inner.number).text, marked)

    def find_paths(self, pattern: str) -> list[str]:
        """Full paths of the files that a pattern matches."""
        return [str(path) for path in self._paths(str(pattern))]

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
        """The folder of the file that calls it."""
        return str(self._file.folders[0] if self._file.folders else Path.cwd())


def yaml_files(folder: Path) -> list[str]:
    """Names of the YAML files in a folder, sorted; SourceProblem if there is none."""
    names = [name for name in near_files(folder) if name.endswith((".yaml", ".yml"))]
    if not names:
        raise SourceProblem(f"there is no YAML file in {str(folder)!r}")
    return names


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
