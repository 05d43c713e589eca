"""Files by name: architectures and workloads that ship with ffcore, and architectures that plugins register."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import attrs

from ffcore.errors import Position, SpecError, suggest
from ffcore.spec.convert import from_plain
from ffcore.spec.quantities import is_quantity
from ffcore.spec.source import load_sources, load_text
from ffcore.spec.source.nodes import YamlMap
from ffcore.units import Dimension, parse_quantity

if TYPE_CHECKING:
    from ffcore.spec.architecture import Arch
    from ffcore.spec.workload import Workload

    Source: TypeAlias = str | Path | Arch | Workload
else:
    Source: TypeAlias = object

KINDS = {"arches": (".yaml", ".arch.yaml"), "workloads": (".yaml", ".workload.yaml")}
"""Folders of the library and the endings of the files in them."""

_SUFFIXES = (".yaml", ".yml")


def library_root() -> Path:
    """Where ``arches/`` and ``workloads/`` are: package data of the wheel, else the clone's own folders."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "_library"
    return packaged if packaged.is_dir() else package.parent


def library_files(kind: str) -> dict[str, Path]:
    """Packaged files of a kind (``arches`` or ``workloads``) by name, sorted."""
    folder = library_root() / kind
    found: dict[str, Path] = {}
    for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else ():
        endings = [e for e in KINDS[kind] if path.name.endswith(e)]
        found[path.name.removesuffix(max(endings, key=len))] = path
    return found


def is_name(source: str) -> bool:
    """Whether ``source`` is a bare name: neither a path nor a file name."""
    return not ("/" in source or "\\" in source or source.endswith(_SUFFIXES))


def find_file(name: str) -> Path | None:
    """The packaged file of that name (architectures before workloads), or None."""
    for kind in KINDS:
        files = library_files(kind)
        if name in files:
            return files[name]
    return None


def registered_arches() -> tuple[str, ...]:
    """Names of the architectures that installed plugins register."""
    from ffcore import plugin

    return plugin.names("arch")


def read_sources(
    files: Sequence[Source],
    jinja_data: Mapping[str, object],
    allowed_dirs: Sequence[str | Path] = (),
    asked: set[str] | None = None,
) -> YamlMap:
    """All sources as one YAML mapping; see ``Spec.from_yaml``, and ``load_sources`` for ``asked``."""
    paths: list[str | Path] = []
    others: list[tuple[str, YamlMap]] = []  # what does not come from YAML files
    for source in files:
        if not isinstance(source, str | Path):
            continue
        if isinstance(source, str) and is_name(source) and not Path(source).is_file():
            found = find_file(source)
            if found is not None:
                paths.append(found)
            else:
                others.append((source, arch_node(_registered(source), {})))
        elif (loader := _loader_of(Path(source))) is not None:
            others.append((str(source), _loaded(loader, Path(source), _Asked(jinja_data, asked))))
        else:
            paths.append(source)
    origin = Position(str(paths[0]) if paths else "<none>", 1)
    merged = load_sources(paths, jinja_data, allowed_dirs, asked) if paths else YamlMap({}, None, origin)
    entries = dict(merged.entries)
    for name, node in others:
        for key, entry in node.entries.items():
            if key in entries:
                message = f"top-level key {key!r} is given twice, by {name} and here"
                raise SpecError.one(message, entries[key][0].position)
            entries[key] = entry
    return attrs.evolve(merged, entries=entries)


def listed(sources: Iterable[object]) -> list[Any]:
    """Sources one by one: those in lists, the files that patterns match by name; each file once.

    Raises SpecError for a pattern that matches none, and for what is no source.
    """
    from ffcore.spec.architecture import Arch
    from ffcore.spec.workload import Workload

    found: dict[object, Any] = {}
    for source in sources:
        inner: Sequence[object]
        if isinstance(source, list | tuple):
            inner = listed(source)
        elif isinstance(source, str | Path):
            inner = _matching(source)
        elif isinstance(source, Arch | Workload):
            inner = [source]
        else:
            raise SpecError.one(f"expected a file, a packaged name, an Arch or a Workload, got {source!r}")
        for item in inner:
            key = os.path.realpath(item) if isinstance(item, str | Path) and Path(item).is_file() else item
            found.setdefault(key if isinstance(key, str | Path) else id(key), item)
    return list(found.values())


def _matching(source: str | Path) -> Sequence[str | Path]:
    if not glob.has_magic(str(source)) or Path(source).exists():
        return [source]
    matches = sorted(glob.glob(str(source)))
    if not matches:
        raise SpecError.one(f"no file matches {str(source)!r}")
    return matches


class _Asked(Mapping[str, object]):
    """Parameters that remember which of them were looked up."""

    def __init__(self, given: Mapping[str, object], asked: set[str] | None) -> None:
        self._given, self._asked = given, asked if asked is not None else set()

    def __getitem__(self, name: str) -> object:
        self._asked.add(name)
        return self._given[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._given)

    def __len__(self) -> int:
        return len(self._given)


def _loader_of(path: Path) -> str | None:
    """Name of the registered spec loader that reads files of this suffix; YAML needs none."""
    if not path.suffix or path.suffix in _SUFFIXES:
        return None
    from ffcore import plugin

    for record in plugin.records("spec_loader"):
        if isinstance(record, plugin.SpecLoaderRecord) and path.suffix in record.suffixes:
            return record.name
    return None


def _loaded(loader: str, path: Path, parameters: Mapping[str, object]) -> YamlMap:
    from ffcore import plugin

    record, made = plugin.current_manager().record("spec_loader", loader), plugin.get("spec_loader", loader)
    takes = isinstance(record, plugin.SpecLoaderRecord) and record.takes_parameters
    data = cast("Any", made).load(path, parameters=parameters) if takes else made.load(path)
    origin = Position(str(path), 1)
    node = load_text(data, origin.file) if isinstance(data, str) else from_plain(data, origin)
    if not isinstance(node, YamlMap):
        raise SpecError.one(f"spec loader {loader!r} must give a mapping", origin)
    return node


def _registered(name: str) -> str:
    known = registered_arches()
    if name in known:
        return name
    there = sorted({*known, *library_files("arches"), *library_files("workloads")})
    arches, workloads = _listed({*known, *library_files("arches")}), _listed(library_files("workloads"))
    message = f"nothing is named {name!r}: no file, packaged file or registered architecture; architectures: {arches}"
    raise SpecError.one(f"{message}; workloads: {workloads}", suggestion=suggest(name, there))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


def arch_node(name: str, parameters: Mapping[str, object]) -> YamlMap:
    """The YAML of a registered architecture: a mapping with the key ``arch``. Raises SpecError, PluginError."""
    from ffcore import plugin

    data = plugin.get("arch", name, **_in_units(name, parameters))
    origin = Position(f"<architecture {name}>", 1)
    node = load_text(data, origin.file) if isinstance(data, str) else from_plain(data, origin)
    if not isinstance(node, YamlMap) or "arch" not in node.entries:
        raise SpecError.one(f"architecture {name!r} must give a mapping with the key 'arch'", origin)
    return node


def _in_units(name: str, parameters: Mapping[str, object]) -> dict[str, object]:
    """Quantities (``buffer_size="4 MiB"``) as numbers in the units that the architecture's parameters have."""
    from ffcore import plugin

    record = plugin.current_manager().record("arch", name)
    units = {p.name: p.unit for p in record.parameters} if isinstance(record, plugin.ArchRecord) else {}
    result = dict(parameters)
    for parameter, value in parameters.items():
        dimension = next((d for d in Dimension if d.value and d.value == units.get(parameter)), None)
        if dimension is not None and is_quantity(value):
            try:
                result[parameter] = parse_quantity(str(value), dimension)
            except SpecError as error:
                messages = [attrs.evolve(p, message=f"parameter {parameter!r}: {p.message}") for p in error.problems]
                raise SpecError(messages) from None
    return result


def arch(name: str, **parameters: object) -> Arch:
    """An architecture by name: one that a plugin registers, with its parameters, or a packaged file.

    For a packaged file the parameters are those of its Jinja text. Raises SpecError for an unknown name.

    >>> arch("simple", GlobalBufferSize=1024).nodes["GlobalBuffer"].size
    1024
    """
    from ffcore.errors import ErrorCollector
    from ffcore.spec.architecture import Arch
    from ffcore.spec.convert import convert

    if name in registered_arches():
        node = arch_node(name, parameters)
    else:
        path = find_file(name) if is_name(name) else Path(name)
        asked: set[str] = set()
        node = load_sources([path if path is not None else _registered(name)], parameters, (), asked)
        for unknown in sorted(parameters.keys() - asked):
            raise SpecError.one(f"architecture {name!r} has no parameter {unknown!r}", None, suggest(unknown, asked))
    errors = ErrorCollector()
    entry = node.get("arch")
    if entry is None:
        raise SpecError.one(f"{name} has no architecture (key 'arch')", node.position)
    made = convert(Arch, entry, errors, "arch")
    errors.raise_if_any()
    assert made is not None
    return made
