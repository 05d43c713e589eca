"""The whole specification: architecture, workload, and how to map one onto the other."""

# ruff: noqa: RUF009 - spec_field makes attrs fields, whose defaults are not shared
from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

from ffcore.errors import ErrorCollector, Position, SpecError, suggest
from ffcore.spec.architecture import Arch
from ffcore.spec.config import Config, ModelOptions
from ffcore.spec.convert import convert, dump, from_plain
from ffcore.spec.fields import (
    Expression,
    One,
    Raw,
    SpecNode,
    Table,
    forget_position,
    quoted_as_text,
    spec_field,
    spec_fields,
)
from ffcore.spec.ignored import without_ignored
from ffcore.spec.library import Source, listed, read_sources
from ffcore.spec.mapper import Mapper
from ffcore.spec.problem import Problem
from ffcore.spec.quantities import of_variable
from ffcore.spec.renames import Renames
from ffcore.spec.source import load_text
from ffcore.spec.source.nodes import Node, YamlMap
from ffcore.spec.workload import Workload

if TYPE_CHECKING:
    from ffcore.spec.resolve.cost_table import ComponentCosts
    from ffcore.spec.resolve.costs import CostHook

HASH_VERSION = 1
"""Goes into every content hash; raise it when the meaning of a field changes."""


_FOREIGN = (
    (
        "Timeloop",
        ("architecture", "problem", "architecture_constraints", "mapspace_constraints"),
        "`ff convert FILE... --from timeloop -o DIR` writes native ones",
    ),
    (
        "ZigZag",
        ("operational_array", "memories", "cores"),
        "write its memories as nodes, and its layers as an ONNX network or Einsums; see coming-from.md in the docs",
    ),
)
"""Tools, top-level keys that only their files have, and what to do."""


def _belongs(spec: Spec, attribute: attrs.Attribute[Any], value: Any) -> Any:
    """attrs ``on_setattr`` hook: an architecture or workload knows the spec that its names come from."""
    value = forget_position(spec, attribute, value)
    if isinstance(value, Arch | Workload):
        value._spec = spec
    return value


@attrs.define(kw_only=True, on_setattr=_belongs)
class Spec(SpecNode):
    """Everything that a job needs to know, as the user wrote it; all of it may be changed in Python."""

    arch: Arch = spec_field(One(Arch), factory=Arch, doc="the architecture")
    workload: Workload = spec_field(One(Workload), factory=Workload, doc="the Einsums")
    renames: Renames = spec_field(One(Renames), factory=Renames, doc="canonical names of tensors")
    variables: dict[str, Expression] = spec_field(
        Table(),
        factory=dict,
        reader=of_variable,
        normalise=quoted_as_text,
        doc="names for use in all expressions; quoted text is text",
    )
    config: Config = spec_field(One(Config), factory=Config, doc="settings")
    mapper: Mapper = spec_field(One(Mapper), factory=Mapper, doc="parts and knobs of the search")
    model: ModelOptions = spec_field(One(ModelOptions), factory=ModelOptions, doc="what is reported")
    mapping: Node | None = spec_field(Raw(), doc="a mapping written by hand, as its YAML node")

    _unused_parameters: dict[str, str | None] = attrs.field(factory=dict, init=False, repr=False, eq=False)
    _allowed_dirs: tuple[str | Path, ...] = attrs.field(default=(), init=False, repr=False, eq=False)

    @classmethod
    def normalise(cls, node: Node, errors: ErrorCollector, path: str) -> Node:
        """Point from files of other tools to what converts them."""
        for tool, keys, remedy in _FOREIGN:
            found = [key for key in keys if isinstance(node, YamlMap) and key in node.entries]
            if found and isinstance(node, YamlMap):
                errors.add(
                    f"this is a file of {tool}: {remedy}", node.entries[found[0]][0].position.with_field(found[0])
                )
                return attrs.evolve(node, entries={})
        return node

    def __attrs_post_init__(self) -> None:
        for part in (self.arch, self.workload):
            if part._spec is None:
                part._spec = self

    @classmethod
    def from_yaml(
        cls,
        *files: Source,
        jinja_parse_data: Mapping[str, object] | None = None,
        allowed_dirs: Sequence[str | Path] = (),
        top_key: str | None = None,
        **jinja_data: object,
    ) -> Spec:
        """Read YAML files (or names of packaged or registered ones) into one spec.

        ``files``: also lists of them, and patterns (``arches/*.yaml``); the same file twice is read once.
        ``jinja_parse_data`` and further keywords are the Jinja parameters. ``allowed_dirs``: directories, beside
        those of the files themselves, that the files may include from. ``top_key``: the spec stands under this key of
        the files. Instead of a file, an ``Arch`` or ``Workload`` object may be given. Raises one SpecError with
        everything that is wrong.
        """
        data = {**(jinja_parse_data or {}), **jinja_data}
        asked: set[str] = set()
        sources = listed(files)
        node = read_sources(sources, data, allowed_dirs, asked)
        if top_key is not None:
            node = _under(node, top_key)
        spec = cls.from_node(node, sources)
        spec._unused_parameters = {name: suggest(name, asked) for name in data if name not in asked}
        spec._allowed_dirs = tuple(allowed_dirs)
        return spec

    @classmethod
    def from_string(
        cls,
        text: str,
        *,
        jinja_parse_data: Mapping[str, object] | None = None,
        allowed_dirs: Sequence[str | Path] = (),
        **jinja_data: object,
    ) -> Spec:
        """Read YAML text. Raises SpecError like :meth:`from_yaml`."""
        data = {**(jinja_parse_data or {}), **jinja_data}
        spec = cls.from_node(load_text(text, jinja_data=data, allowed_dirs=allowed_dirs))
        spec._allowed_dirs = tuple(allowed_dirs)
        return spec

    @classmethod
    def from_node(cls, node: YamlMap, objects: Iterable[object] = ()) -> Spec:
        """A spec from loaded YAML and ready-made ``Arch`` or ``Workload`` objects. Raises SpecError."""
        errors = ErrorCollector()
        shelves = node.anchored - spec_fields(cls).keys()
        spec = convert(cls, without_ignored(node, shelves, "no part of a spec (anchors in there are read)", ""), errors)
        errors.raise_if_any()
        assert spec is not None
        for item in objects:
            name = "arch" if isinstance(item, Arch) else "workload" if isinstance(item, Workload) else None
            if name is None:
                continue
            if spec.position_of(name) is not None:
                raise SpecError.one(f"{name} is given as an object and in a file", spec.position_of(name))
            setattr(spec, name, item)
        return spec

    def problem(self, cost_model: CostHook | None = None, *, allow_hopeless: bool = False) -> Problem:
        """Evaluate everything: what the mapper works on, in plain numbers.

        ``cost_model`` (a ``CostModel`` or a function of a ``ComponentQuery``; default: what ``mapper.cost_model`` says)
        prices components that give a ``component_class`` and lack costs. Raises PluginError where it is not installed,
        and one SpecError with everything that is wrong; with ``allow_hopeless`` Einsums that no Compute can run, or one
        of whose tensors no memory may keep, are not.
        """
        from ffcore.spec.resolve import build_problem

        return build_problem(self.copy(), self._prices(cost_model), allow_hopeless=allow_hopeless)

    def validate(self) -> None:
        """Raise a SpecError if anything is wrong, but for costs that only a cost model can give."""
        self.problem_without_costs()

    def problem_without_costs(self) -> Problem:
        """As :meth:`problem`, with made-up costs where only a cost model can tell: to check and to draw mappings."""
        from ffcore.plugin.interfaces import ComponentCost

        def anything(query: Any) -> ComponentCost:
            free = dict.fromkeys(query.actions, 0.0)
            return ComponentCost(free, dict.fromkeys(query.actions, 1.0), 0.0, 0.0)

        from ffcore.spec.resolve import build_problem

        return build_problem(self.copy(), anything)

    def areas(self, cost_model: CostHook | None = None) -> Mapping[str, float]:
        """Area of each component in m², all its instances (own fanout times that of all above it)."""
        from ffcore.spec.resolve import totals

        return totals(self.copy(), self._prices(cost_model), "area")

    def leak_powers(self, cost_model: CostHook | None = None) -> Mapping[str, float]:
        """Leakage of each component in W, all its instances."""
        from ffcore.spec.resolve import totals

        return totals(self.copy(), self._prices(cost_model), "leak_power")

    def costs(self, cost_model: CostHook | None = None) -> tuple[ComponentCosts, ...]:
        """What each component costs, and who says so: the spec, or the cost model (default: as in :meth:`problem`).

        Raises one SpecError that lists every number that is missing.
        """
        from ffcore.spec.resolve.cost_table import cost_table

        return cost_table(self, self._prices(cost_model))

    @property
    def unused_parameters(self) -> Mapping[str, str | None]:
        """Jinja parameters that no file asked for, each with the name that was probably meant."""
        return self._unused_parameters

    def copy(self) -> Spec:
        """An independent copy; a mapping is shared, as it is as it was read."""
        return copy.deepcopy(self, {id(self.mapping): self.mapping})

    def to_dict(self) -> dict[str, object]:
        """All fields that differ from their defaults, as plain data; ``tag`` names the type of an arch node."""
        return dump(self)

    def hash(self, extra: object = None) -> str:
        """A hash of the content: equal for specs that say the same, wherever they were read from."""
        content = json.dumps([HASH_VERSION, _whole_numbers(self.to_dict()), extra], sort_keys=True, default=str)
        return hashlib.sha256(content.encode()).hexdigest()

    def set(self, path: str, value: object) -> None:
        """Set one field by its path, such as ``arch.nodes.MainMemory.tensors.keep``.

        Text is read as YAML, so that ``16`` is a number and ``[a, b]`` a list. Raises SpecError for a path
        that leads nowhere or a value of the wrong type.
        """
        from ffcore.spec.paths import set_path

        set_path(self, path, value)

    def _repr_html_(self) -> str:
        """Architecture and workload, as pictures where a renderer is installed."""
        return self.arch.render().html + self.workload.render().html

    def _prices(self, given: CostHook | None) -> CostHook | None:
        """What prices components: the cost model ``given``, or the spec's own; None if none is to be used."""
        if self.config.use_installed_component_models in (False, "False", "false", 0):
            return None
        if given is not None or not self.mapper.cost_model:
            return given
        from ffcore.spec.cost_model import cost_model_of

        return cost_model_of(self)


def _under(node: YamlMap, key: str) -> YamlMap:
    """The mapping under a top-level key. Raises SpecError where there is none."""
    found = node.get(key)
    if isinstance(found, YamlMap):
        return found
    message = f"the top-level key {key!r} (top_key) " + ("is missing" if found is None else "is no mapping")
    raise SpecError.one(message, node.position, suggest(key, node.entries) if found is None else None)


def _whole_numbers(data: Any) -> Any:
    """The same data with whole floats as integers: 1e6 and 1000000 are the same number."""
    if isinstance(data, Mapping):
        return {key: _whole_numbers(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_whole_numbers(value) for value in data]
    return int(data) if isinstance(data, float) and data.is_integer() else data


def spec_from_data(data: Mapping[str, object], name: str) -> Spec:
    """A spec from plain data, as a plugin gives it; ``name`` stands for the file in messages."""
    node = from_plain(data, Position(name, 0))
    assert isinstance(node, YamlMap)
    return Spec.from_node(node)
