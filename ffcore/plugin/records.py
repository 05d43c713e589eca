"""What a plugin registers: small frozen records, one type for each kind of part.

A record names a part and says where its factory is; nothing heavy is imported before the part
is used. ``factory`` is either an import reference ``"package.module:attribute"`` (best: the
module is imported when the part is first used) or a callable.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TypeAlias

import attrs

Factory: TypeAlias = str | Callable[..., Any]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*")
_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


def _check_name(_: object, __: object, value: str) -> None:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"{value!r} is no name: letters, digits and _ . + - only")


def _check_factory(_: object, __: object, value: Factory) -> None:
    if not callable(value) and not (isinstance(value, str) and _REFERENCE.fullmatch(value)):
        raise ValueError(f"factory {value!r} is neither a callable nor a reference 'package.module:attribute'")


def _texts(items: Iterable[str]) -> tuple[str, ...]:
    return tuple(items)


def loaded(factory: Factory) -> Callable[..., Any]:
    """The factory itself, imported if it was given as a reference; see `Record.load` for errors."""
    if not isinstance(factory, str):
        return factory
    module, _, path = factory.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    if not callable(found):
        raise TypeError(f"{factory} is not callable")
    return found  # type: ignore[no-any-return]


@attrs.frozen
class Record:
    """One part that a distribution offers under a name.

    ``name`` is what a spec or the command line says, ``summary`` one line for ``ff plugins``,
    ``factory`` makes the part. Records are listed by ``(priority, name)``, small first.
    Raises ``ValueError`` for a name or factory of the wrong form.
    """

    kind: ClassVar[str] = ""
    methods: ClassVar[tuple[str, ...]] = ()
    """What the part must have."""

    name: str = attrs.field(validator=_check_name)
    summary: str
    factory: Factory = attrs.field(validator=_check_factory)
    priority: int = attrs.field(default=0, kw_only=True)

    def load(self) -> Callable[..., Any]:
        """The factory itself, imported if it was given as a reference.

        Raises whatever the import raises, ``TypeError`` where the reference leads to no callable.
        """
        return loaded(self.factory)


@attrs.frozen
class JoinerRecord(Record):
    """``factory(**options) -> ffcore.plugin.Joiner``.

    ``explorer`` makes the pmappings that it joins, where a spec names no other. The factory's parameters are the
    options that ``mapper.joiner_options`` may set; each needs a default. ``judges``: its ``join`` takes ``model=`` and
    finds the optimum under a model that looks at whole mappings, of pmappings of which none was pruned. ``exact``: it
    returns nothing only where nothing goes together, so that `ff explain` may ask it. ``tracks``: it has
    ``track(problem, pmappings, executor=, progress=)``, which tells how its search went, and takes budgets.
    ``usage``: it can return the Pareto set with what each memory takes as an objective (the metric ``resource_usage``).
    ``imperfect``: it joins pmappings with imperfect factors; where it does not, ``auto`` means perfect ones.
    """

    kind: ClassVar[str] = "joiner"
    methods: ClassVar[tuple[str, ...]] = ("guarantee", "join")

    explorer: str = attrs.field(default="default", validator=_check_name, kw_only=True)
    judges: bool = attrs.field(default=False, kw_only=True)
    exact: bool = attrs.field(default=False, kw_only=True)
    tracks: bool = attrs.field(default=False, kw_only=True)
    usage: bool = attrs.field(default=False, kw_only=True)
    imperfect: bool = attrs.field(default=True, kw_only=True)


@attrs.frozen
class ExplorerRecord(Record):
    """``factory() -> ffcore.plugin.Explorer``.

    ``keeps_pmappings``: in ``cache_dir``, and uses them again; ``ff map --out`` then has them kept as soon as each
    Einsum is explored. ``joins``: its ``explore`` takes ``joined=``, a function of a `PmappingSet` that returns the
    energy and latency of mappings that it makes, and may leave out pmappings that are in no better mapping; the set
    that it returns says so (``for_join=True``).
    ``imperfect``: it offers imperfect factors; where it does not, ``auto`` means perfect ones.
    """

    kind: ClassVar[str] = "explorer"
    methods: ClassVar[tuple[str, ...]] = ("explore",)

    keeps_pmappings: bool = attrs.field(default=False, kw_only=True)
    joins: bool = attrs.field(default=False, kw_only=True)
    imperfect: bool = attrs.field(default=False, kw_only=True)


@attrs.frozen
class ModelRecord(Record):
    """``factory() -> ffcore.plugin.Model``.

    ``law() -> ffcore.plugin.Law``: what accesses cost, which the search obeys too, and the default model where
    ``factory`` is ``"ffcore.plugin:DefaultModel"``. Without one, the search does not know the model: mappings are
    found under the default one, and the result promises nothing.
    """

    kind: ClassVar[str] = "model"
    methods: ClassVar[tuple[str, ...]] = ("evaluate",)

    law: Factory | None = attrs.field(default=None, validator=attrs.validators.optional(_check_factory), kw_only=True)


@attrs.frozen
class CostModelRecord(Record):
    """``factory(**options) -> ffcore.plugin.CostModel``.

    The factory's parameters, each with a default, are what ``mapper.cost_model_options`` may set. ``files`` names those
    that are files, one or a list: they are looked for in the folder of the file that names them and may lie below it or
    below the folders that the user allows; the factory gets their full paths.
    """

    kind: ClassVar[str] = "cost_model"
    methods: ClassVar[tuple[str, ...]] = ("cost",)

    files: tuple[str, ...] = attrs.field(default=(), converter=_texts, kw_only=True)


@attrs.frozen
class Parameter:
    """One parameter of an architecture model: what ``--arch-param`` and ``ff.arch`` accept."""

    name: str = attrs.field(validator=_check_name)
    default: bool | int | float | str | None
    unit: str = ""
    summary: str = ""


def _parameters(items: Iterable[Parameter]) -> tuple[Parameter, ...]:
    return tuple(items)


@attrs.frozen
class ArchRecord(Record):
    """``factory(**parameters) -> ffcore.plugin.ArchData``: the architecture as native YAML text or plain data.

    ``parameters`` lists every keyword that the factory accepts; any other one is refused.
    """

    kind: ClassVar[str] = "arch"

    parameters: tuple[Parameter, ...] = attrs.field(default=(), converter=_parameters, kw_only=True)


PICTURES = ("workload", "arch", "mapping")
"""What a renderer draws whose record does not say."""


@attrs.frozen
class RendererRecord(Record):
    """``factory() -> ffcore.plugin.Renderer``; ``formats`` are those that it can write.

    ``draws``: the kinds of things that it shows (``ffcore.plugin.RenderKind``), so that it is asked for no others.
    """

    kind: ClassVar[str] = "renderer"
    methods: ClassVar[tuple[str, ...]] = ("render",)

    formats: tuple[str, ...] = attrs.field(default=(), converter=_texts, kw_only=True)
    draws: tuple[str, ...] = attrs.field(default=PICTURES, converter=_texts, kw_only=True)


@attrs.frozen
class ExecutorRecord(Record):
    """``factory(n_jobs: int, **options) -> concurrent.futures.Executor``.

    The factory's other parameters, each with a default, are what ``mapper.executor_options`` may set. ``wraps`` names
    classes (``"package.module:Class"``) of which an object may be given in Python where an executor is taken;
    ``wrapper`` makes an executor of one, which leaves the object open when it is shut down. ``trusted`` names options
    that whoever sets them can run code by, such as the address of a scheduler: spec files may not set them, unless
    ``FFCORE_TRUSTED_EXECUTORS`` names the executor.
    """

    kind: ClassVar[str] = "executor"
    methods: ClassVar[tuple[str, ...]] = ("submit", "shutdown")

    wraps: tuple[str, ...] = attrs.field(default=(), converter=_texts, kw_only=True)
    trusted: tuple[str, ...] = attrs.field(default=(), converter=_texts, kw_only=True)
    wrapper: Factory | None = attrs.field(
        default=None, validator=attrs.validators.optional(_check_factory), kw_only=True
    )


@attrs.frozen
class SpecLoaderRecord(Record):
    """``factory() -> ffcore.plugin.SpecLoader``, for files that end in one of ``suffixes``.

    ``takes_parameters``: its ``load`` takes ``parameters=``, what ``--set`` gives; those that it looks up are used.
    ``converter``: the function with typer's annotations that ``ff convert --from NAME`` is.
    """

    kind: ClassVar[str] = "spec_loader"
    methods: ClassVar[tuple[str, ...]] = ("load",)

    suffixes: tuple[str, ...] = attrs.field(default=(), converter=_texts, kw_only=True)
    takes_parameters: bool = attrs.field(default=False, kw_only=True)
    converter: Factory | None = attrs.field(
        default=None, validator=attrs.validators.optional(_check_factory), kw_only=True
    )


@attrs.frozen
class CommandRecord(Record):
    """``factory`` is the command itself: a function with typer's annotations (`ffcore.plugin.spec_command` makes one
    with the options that every spec has), or a ``typer.Typer`` with commands of its own.

    ``ff --help`` shows name and summary without importing it. ``function``: what the Python name ``ffcore.NAME`` is.
    """

    kind: ClassVar[str] = "command"

    function: Factory | None = attrs.field(
        default=None, validator=attrs.validators.optional(_check_factory), kw_only=True
    )


RECORD_TYPES: dict[str, type[Record]] = {
    record.kind: record
    for record in (
        SpecLoaderRecord,
        ArchRecord,
        CostModelRecord,
        ModelRecord,
        ExplorerRecord,
        JoinerRecord,
        RendererRecord,
        ExecutorRecord,
        CommandRecord,
    )
}
"""Kind -> its record type, in the order of the pipeline."""
