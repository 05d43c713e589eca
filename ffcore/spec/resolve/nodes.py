"""Fields of architecture nodes, evaluated for one Einsum; what one component is to the mapper."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import cache, partial
from itertools import combinations
from typing import Any, cast

from ffcore.errors import Position, SpecError, suggest
from ffcore.spec.architecture import Spatial, TensorHolder, TensorRules
from ffcore.spec.expressions import TensorSet, evaluate
from ffcore.spec.fields import Many, One, SpecNode, Table, Tagged, Text, Value, spec_fields
from ffcore.spec.problem import ALL_OPERATORS, OPERATORS, Holding, LoopBound, SpatialDimension, TileShape
from ffcore.spec.quantities import per_bit
from ffcore.spec.resolve.scope import Lazy, Scope, Trace
from ffcore.spec.resolve.values import as_bool, as_number, as_tensors, as_variables, at_least_zero, count, positive


class View:
    """A spec object as expressions see it: its fields as attributes, evaluated on demand."""

    def __init__(self, fields: Fields, as_set: Callable[[], TensorSet] | None = None) -> None:
        self._as_set = as_set
        self.expression_attributes: dict[str, Callable[[object], object]] = {}
        for name in fields.names():
            self.expression_attributes[name] = partial(_attribute, fields, name)
        if as_set is not None:
            self.expression_attributes["tensors"] = lambda _: as_set()
            self.expression_attributes["bits_per_value"] = lambda _: as_set().bits_per_value
            self.expression_attributes["rank_variables"] = lambda _: as_set().rank_variables

    def __ff_set__(self) -> TensorSet:
        if self._as_set is None:
            raise SpecError.one("this architecture node keeps no tensors: it is no set")
        return self._as_set()


class Views(list[Any]):
    """Views of the objects in a list field, by index or, ``actions['read']``, by name."""

    def __ff_item__(self, name: str) -> object:
        named = {
            attributes["name"](view): view for view in self if "name" in (attributes := view.expression_attributes)
        }
        if name not in named:
            there = ", ".join(map(str, named)) or "none"
            raise SpecError.one(f"nothing is called {name!r} there; there are {there}", None, suggest(name, named))
        return named[name]


def _attribute(fields: Fields, name: str, _: object) -> object:
    return fields.get(name)


class Fields:
    """The fields of one spec object, evaluated on demand; they see each other and the outer scope."""

    def __init__(self, node: SpecNode, outer: Scope, trace: Trace, label: str, parent: Fields | None = None) -> None:
        self.node = node
        self.parent = parent
        self.label = label
        self.trace = trace
        self._own = _Given(self)
        self.scope = Scope(self._own, outer)

    def names(self) -> list[str]:
        return list(self._own)

    def place(self, name: str) -> Position | None:
        return self.node.place_of(name)

    def what(self, name: str) -> str:
        return f"{self.label}.{name}"

    def given(self, name: str) -> bool:
        """Whether the field has a value."""
        return name in self._own

    def get(self, name: str) -> object:
        """The evaluated field; None if it was not set."""
        return self._own[name].get() if name in self._own else None

    def lazy(self, name: str) -> Lazy:
        """The field's evaluation, to be done when it is needed."""
        compute = partial(self._compute, _kinds(type(self.node))[name], name, getattr(self.node, name))
        return Lazy(self.what(name), partial(self.place, name), compute, self.trace)

    def number(self, name: str, check: Callable[[object, str, Position | None], float] = as_number) -> float:
        return check(self.get(name), self.what(name), self.place(name))

    def truth(self, name: str) -> bool:
        return as_bool(self.get(name), self.what(name), self.place(name))

    def tensors(self, name: str) -> frozenset[str] | None:
        """Names in a set-valued field; None if it was not set."""
        if not self.given(name):
            return None
        return as_tensors(self.get(name), self.what(name), self.place(name)).names

    def items(self, name: str) -> list[Fields]:
        """Evaluators of the objects in a list field."""
        value = getattr(self.node, name)
        return [
            Fields(item, self.scope, self.trace, f"{self.label}.{name}.{getattr(item, 'name', index)}", self)
            for index, item in enumerate(value)
        ]

    def child(self, name: str) -> Fields:
        """Evaluator of the object in a field."""
        return Fields(getattr(self.node, name), self.scope, self.trace, f"{self.label}.{name}")

    def _compute(self, kind: object, name: str, value: Any) -> object:
        if isinstance(kind, Value):
            number = per_bit(value)
            return evaluate(value, self.scope, self.place(name)) if number is None else self._per_action(name, number)
        if isinstance(kind, One):
            return View(self.child(name))
        if isinstance(kind, Many):
            return Views(View(fields) for fields in self.items(name))
        if isinstance(kind, Table) and name.startswith("extra_attributes"):
            return {k: self._extra(f"{name}.{k}", v) for k, v in value.items()}
        if isinstance(kind, Text):
            return value
        raise SpecError.one(f"{self.what(name)} cannot be used in an expression", self.place(name))

    def _per_action(self, name: str, number: float) -> float:
        """J of one action from ``number`` J/bit, or actions/s from bit/s, by the bits that one action moves."""
        text = getattr(self.node, name)
        owner = self.parent.node if self.parent is not None else None
        if self.parent is None or not isinstance(owner, TensorHolder):
            raise SpecError.one(f"{self.what(name)} is {text!r}, but its actions move no bits", self.place(name))
        if self.given("values_per_action") or self.parent.given("values_per_action"):
            message = f"{self.what(name)} is {text!r}, but its actions are counted in values (values_per_action)"
            raise SpecError.one(message, self.place(name))
        giver = self if self.given("bits_per_action") else self.parent
        bits = giver.number("bits_per_action", positive) if giver.given("bits_per_action") else 1
        return number / bits if name == "throughput" else number * bits

    def _extra(self, name: str, value: object) -> object:
        """Attributes for cost models may be plain words: text that is no expression over known names stays."""
        if not isinstance(value, str):
            return value
        try:
            return evaluate(value, self.scope, self.place(name))
        except SpecError:
            return value


class _Given(Mapping[str, Lazy]):
    """The fields of a spec object that have a value; of most only a few are ever asked for."""

    def __init__(self, fields: Fields) -> None:
        self._fields = fields
        self._lazies: dict[str, Lazy] = {}

    def __getitem__(self, name: str) -> Lazy:
        if name not in self._lazies:
            if name not in self:
                raise KeyError(name)
            self._lazies[name] = self._fields.lazy(name)
        return self._lazies[name]

    def __contains__(self, name: object) -> bool:
        node = self._fields.node
        return isinstance(name, str) and name in _kinds(type(node)) and getattr(node, name) is not None

    def __iter__(self) -> Iterator[str]:
        return (name for name in _kinds(type(self._fields.node)) if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _kinds(node: type[SpecNode]) -> Mapping[str, object]:
    """What may stand in each field of a class that expressions can refer to."""
    return _kinds_of(cast(Hashable, node))  # instances have no hash, classes have


@cache
def _kinds_of(node: Any) -> Mapping[str, object]:
    kinds = {name: attribute.metadata["kind"] for name, attribute in spec_fields(node).items()}
    return {name: kind for name, kind in kinds.items() if not isinstance(kind, Tagged)}


def spatial_dimensions(fields: Fields, everything: frozenset[str]) -> tuple[SpatialDimension, ...]:
    """The evaluated ``spatial`` list of a node."""
    result = tuple(_dimension(item, everything) for item in fields.items("spatial"))
    names = [d.name for d in result]
    for name in names:
        if names.count(name) > 1:
            raise SpecError.one(f"duplicate spatial dimension {name!r} of {fields.label}", fields.place("spatial"))
    return result


def _dimension(fields: Fields, everything: frozenset[str]) -> SpatialDimension:
    reuse, may_reuse = fields.tensors("reuse"), fields.tensors("may_reuse")
    if may_reuse is None:
        may_reuse = everything if reuse is None else reuse
    least = fields.number("min_usage", at_least_zero)
    if least > 1:
        raise SpecError.one(f"{fields.what('min_usage')} must be at most 1, got {least:g}", fields.place("min_usage"))
    assert isinstance(fields.node, Spatial)
    return SpatialDimension(
        name=fields.node.name,
        fanout=int(fields.number("fanout", count)),
        reuse=reuse or frozenset(),
        may_reuse=may_reuse,
        min_usage=least,
        usage_scale=fields.number("usage_scale", positive),
        power_gateable=fields.truth("power_gateable"),
        loop_bounds=tuple(LoopBound(*_limit(item)) for item in fields.items("loop_bounds")),
    )


def _limit(fields: Fields) -> tuple[frozenset[str], str, float]:
    operator = str(fields.get("operator")).replace(" ", "")
    if operator not in ALL_OPERATORS:
        message = (
            f"{fields.what('operator')} must be one of {' '.join(OPERATORS)} (also after 'product'), got {operator!r}"
        )
        raise SpecError.one(message, fields.place("operator"))
    place = fields.place("expression")
    variables = as_variables(fields.get("expression"), fields.what("expression"), place)
    return variables, operator, fields.number("value")


def holding(fields: Fields, everything: frozenset[str], above: frozenset[str] | None) -> Holding:
    """The evaluated ``tensors`` of a memory, or of a Toll when ``above`` (what stands above it) is given."""
    rules = fields.child("tensors")
    nothing: frozenset[str] = frozenset()
    keep, may = rules.tensors("keep"), rules.tensors("may_keep")
    if may is None:
        may = everything if keep is None else nothing
    back = rules.tensors("back") or nothing
    bypass = rules.tensors("bypass") or nothing
    possible = (everything if above is None else above) - bypass
    must = ((keep or nothing) | back) & possible
    return Holding(
        must=must,
        may=(may & possible) - must,
        back=back & possible,
        no_refetch_from_above=rules.tensors("no_refetch_from_above") or nothing,
        no_resend_to_below=rules.tensors("no_resend_to_below") or nothing,
        tensor_order_options=_orders(rules),
        tile_shape=tuple(TileShape(*_limit(item)) for item in rules.items("tile_shape")),
        force_memory_hierarchy_order=rules.truth("force_memory_hierarchy_order"),
    )


def _orders(rules: Fields) -> tuple[tuple[frozenset[str], ...], ...] | None:
    node = rules.node
    assert isinstance(node, TensorRules)
    if node.tensor_order_options is None:
        return None
    place, what = rules.place("tensor_order_options"), rules.what("tensor_order_options")
    options: Any = node.tensor_order_options
    if not isinstance(options, list) or not all(isinstance(option, list) for option in options):
        raise SpecError.one(f"{what} must be a list of lists of sets of tensors", place)
    result = []
    for option in options:
        groups = [as_tensors(evaluate(group, rules.scope, place), what, place).names for group in option]
        for (a, first), (b, second) in combinations(zip(option, groups, strict=True), 2):
            if both := first & second:
                message = f"{what}: {a!r} and {b!r} overlap, both have {', '.join(sorted(both))}"
                raise SpecError.one(message, place)
        result.append(tuple(groups))
    return tuple(result)


def mentions(value: object) -> Mapping[str, None]:
    """All texts inside a dumped node, in order."""
    if isinstance(value, str):
        return {value: None}
    if isinstance(value, Mapping):
        return {text: None for part in (*value.keys(), *value.values()) for text in mentions(part)}
    if isinstance(value, list | tuple):
        return {text: None for part in value for text in mentions(part)}
    return {}
