"""What the actions of a component cost: the spec's own numbers, filled up by a cost model, and scaled."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import attrs

from ffcore.errors import Position, SpecError, SpecProblem, SpecWarning, suggest
from ffcore.spec.architecture import Action, ArchNode, Component, Compute, Hardware, Memory, Network
from ffcore.spec.expressions import MaxLinear, evaluate
from ffcore.spec.problem import MAX_HOPS, MAX_LINK_TRAFFIC
from ffcore.spec.resolve.nodes import Fields, Views
from ffcore.spec.resolve.scope import Lazy, Scope
from ffcore.spec.resolve.values import at_least_zero, finite, positive

if TYPE_CHECKING:
    from ffcore.plugin.interfaces import ComponentCost, ComponentQuery, CostModel

    CostHook: TypeAlias = CostModel | Callable[[ComponentQuery], ComponentCost | None]

FREE_CLASS = "Dummy"
"""The component class that costs nothing and takes no time."""


def action_names(node: Hardware) -> tuple[str, ...]:
    """The actions that the model counts for a kind of node."""
    if isinstance(node, Memory):
        return ("read", "write")
    if isinstance(node, Compute):
        return ("compute",)
    if isinstance(node, Network):
        return ("hop",) if node.actions else ()
    return ("read",) if isinstance(node, Component) else ()


@attrs.frozen
class CostKey:
    """What an answer of a cost model depends on."""

    component: str
    attributes: str  # repr of the evaluated attributes


@attrs.define
class CostBook:
    """Answers of a cost model, asked for once each; also what no model could answer."""

    answers: dict[CostKey, Any] = attrs.field(factory=dict)

    def ask(self, model: CostHook | None, query: ComponentQuery) -> ComponentCost | None:
        key = CostKey(query.name, repr(sorted(query.attributes.items())))
        if key not in self.answers:
            if model is None:
                return None
            self.answers[key] = model(query) if callable(model) else model.cost(query)
        answer: ComponentCost | None = self.answers[key]
        return answer

    def content(self) -> list[str]:
        """The answers as text, for a content hash."""
        return sorted(f"{key}: {answer!r}" for key, answer in self.answers.items())


@attrs.frozen
class Costs:
    """Costs of one component for one Einsum, scaled. ``None``: unknown."""

    energy: Mapping[str, float | None]  # J per action
    throughput: Mapping[str, float | None]  # 1/s, one instance, without n_parallel_instances
    area: float | None  # m², all parallel instances of one component
    leak_power: float | None  # W, likewise
    sources: Mapping[str, str] = attrs.field(factory=dict)  # "energy of read" -> who gave it; unknown ones are left out
    asked: str = ""  # the cost model that was asked, and maybe why it has no answer


OWN = "spec"
"""The source of a number that the spec gives."""


def component_costs(
    fields: Fields, book: CostBook, model: CostHook | None, shared_attributes: Mapping[str, object]
) -> Costs:
    """Evaluate a component's costs. Raises SpecError for wrong numbers and unknown actions."""
    node = fields.node
    assert isinstance(node, Hardware)
    actions = _actions(fields)
    free = isinstance(node, Component) and node.component_class == FREE_CLASS
    energy = {a: _own(f, "energy", at_least_zero) for a, f in actions.items()}
    network = isinstance(node, Network)
    throughput = {a: _hops_per_second(f) if network else _throughput(f) for a, f in actions.items()}
    area, leak = _own(fields, "area", at_least_zero), _own(fields, "leak_power", at_least_zero)
    sources, asked = _sources(energy, throughput, area, leak, OWN), ""
    if isinstance(node, Component) and node.component_class and not free:
        slow = [a for a in actions if throughput[a] is None and node.total_latency is None]
        wanted = tuple(a for a in actions if energy[a] is None or a in slow)
        if wanted or area is None or leak is None:
            answer = book.ask(model, _query(fields, node, wanted, shared_attributes))
            if answer is not None:
                energy = {a: answer.energy.get(a) if e is None else e for a, e in energy.items()}
                throughput = {a: answer.throughput.get(a) if t is None else t for a, t in throughput.items()}
                area = answer.area if area is None else area
                leak = answer.leak_power if leak is None else leak
                _check_answer(node, energy, throughput, area, leak)
                asked = answer.source or "cost model"
                sources = _sources(energy, throughput, area, leak, asked) | sources
    elif free or not (isinstance(node, Component) and node.component_class):
        area, leak = area or 0.0, leak or 0.0
        if free:
            energy = {a: e or 0.0 for a, e in energy.items()}
            throughput = {a: math.inf if t is None else t for a, t in throughput.items()}
        sources = _sources(energy, throughput, area, leak, FREE_CLASS if free else "default") | sources
    parallel = fields.number("n_parallel_instances", positive)
    scaled = {a: _scaled(e, _scale("energy_scale", fields, actions[a])) for a, e in energy.items()}
    leak = _scaled(leak, parallel * fields.number("leak_power_scale", at_least_zero))
    return Costs(
        energy={a: _finite(e, actions[a], "energy", fields.place("actions")) for a, e in scaled.items()},
        throughput={
            a: _quick(_scaled(t, _speed(fields, actions[a])), parallel, actions[a], fields.place("actions"))
            for a, t in throughput.items()
        },
        area=_finite(_scaled(area, parallel * fields.number("area_scale", at_least_zero)), fields, "area", None),
        leak_power=_finite(leak, fields, "leak_power", None),
        sources=sources,
        asked=asked,
    )


def _sources(
    energy: Mapping[str, float | None],
    throughput: Mapping[str, float | None],
    area: float | None,
    leak: float | None,
    source: str,
) -> dict[str, str]:
    """``source`` for each number that is known."""
    numbers = {f"energy of {a}": e for a, e in energy.items()} | {"area": area, "leak_power": leak}
    numbers |= {f"throughput of {a}": t for a, t in throughput.items()}
    return {name: source for name, number in numbers.items() if number is not None}


def _check_answer(
    node: Component,
    energy: Mapping[str, float | None],
    throughput: Mapping[str, float | None],
    area: float | None,
    leak: float | None,
) -> None:
    """Raise SpecError where a cost model answers with a number that no component can have."""
    numbers = {f"energy of {a}": e for a, e in energy.items()} | {"area": area, "leak_power": leak}
    wrong = [f"{name}: {number}" for name, number in numbers.items() if number is not None and not number >= 0]
    wrong += [f"throughput of {a}: {t}" for a, t in throughput.items() if t is not None and not t > 0]
    if wrong:
        kind = f"{node.name} (component_class {node.component_class})"
        raise SpecError.one(f"the cost model's answer for {kind} makes no sense: {', '.join(wrong)}", node.place_of(""))


def missing_costs(fields: Fields, costs: Costs) -> list[SpecProblem]:
    """What is needed and unknown, in words; empty if nothing is."""
    node = fields.node
    if not isinstance(node, Component):
        return []
    lacking = [f"energy of {a}" for a, e in costs.energy.items() if e is None]
    if node.total_latency is None:
        lacking += [f"throughput of {a}" for a, t in costs.throughput.items() if t is None]
    if costs.leak_power is None:
        lacking.append("leak_power")
    if not lacking:
        return []
    kind = f" (component_class {node.component_class})" if node.component_class else ""
    remedy = "give them, or install a cost model that knows the class" if node.component_class else "give them"
    if costs.asked:
        remedy = f"give them, or add them to what the cost model knows ({costs.asked})"
    return [SpecProblem(f"{node.name}{kind} has no {', '.join(lacking)}: {remedy}", node.place_of("actions"))]


def latency_forms(fields: Fields, costs: Costs) -> tuple[Mapping[str, float], ...]:
    """``total_latency`` as a maximum of linear forms in the numbers of calls (s per call)."""
    node = fields.node
    assert isinstance(node, Component)
    if isinstance(node, Network) and not costs.energy:
        return ()  # moving data over it is free
    if node.total_latency is None:
        if isinstance(node, Network):
            return _network_forms(fields, costs)
        parallel = fields.number("n_parallel_instances", positive)
        form = {a: 1 / (t * parallel) for a, t in costs.throughput.items() if t is not None and math.isfinite(t)}
        return _more_calls(fields, (form,) if form else ())
    place = fields.place("total_latency")
    views = Views(_ActionView(name, costs, fields) for name in costs.energy)
    symbols: dict[str, Lazy | object] = {"actions": views}
    if isinstance(node, Network):
        symbols |= {name: MaxLinear.variable(name) for name in (MAX_HOPS, MAX_LINK_TRAFFIC)}
    value = evaluate(node.total_latency, Scope(symbols, fields.scope), place)
    try:
        return _more_calls(fields, MaxLinear.lift(value).forms())
    except ValueError as error:
        raise SpecError.one(f"{fields.what('total_latency')}: {error}", place) from None


def _network_forms(fields: Fields, costs: Costs) -> tuple[Mapping[str, float], ...]:
    """A network's own time: the way to its furthest instance, or what its busiest link carries."""
    way, rate = _seconds_per_hop(fields), costs.throughput["hop"]
    forms = [{MAX_HOPS: way}] if way else []
    if rate is not None and math.isfinite(rate):
        forms.append({MAX_LINK_TRAFFIC: 1 / (rate * fields.number("n_parallel_instances", positive))})
    return tuple(forms)


def _seconds_per_hop(fields: Fields) -> float:
    """How long a value takes over one link, beside how many a second may follow each other."""
    hop = _actions(fields)["hop"]
    own = hop.number("latency", at_least_zero) if hop.given("latency") else 0.0
    return own * _scale("latency_scale", fields, hop)


def _more_calls(fields: Fields, forms: tuple[Mapping[str, float], ...]) -> tuple[Mapping[str, float], ...]:
    """Seconds per operation of a Compute, which takes ``actions_scale`` actions; others count that in their calls."""
    scale = fields.number("actions_scale", positive) if isinstance(fields.node, Compute) else 1.0
    for seconds in (seconds for form in forms for seconds in form.values()):
        finite(seconds * scale, f"{fields.what('total_latency')}: seconds per action", fields.place("total_latency"))
    return tuple({action: seconds * scale for action, seconds in form.items()} for form in forms)


class _ActionView:
    """An action as ``total_latency`` sees it: the number of calls is a symbol."""

    def __init__(self, name: str, costs: Costs, fields: Fields) -> None:
        def cost(kind: str, table: Mapping[str, float | None]) -> float:
            value = table[name]
            if value is None:
                raise SpecError.one(f"{fields.label} has no {kind} of {name}", fields.place("actions"))
            return value

        def calls() -> MaxLinear:
            if network:
                message = f"the time of {fields.label} depends on {MAX_HOPS} and {MAX_LINK_TRAFFIC}, not on n_calls"
                raise SpecError.one(message, fields.place("total_latency"))
            return MaxLinear.variable(name)

        network = isinstance(fields.node, Network)
        self.expression_attributes: dict[str, Callable[[object], object]] = {
            "name": lambda _: name,
            "n_calls": lambda _: calls(),
            "energy": lambda _: cost("energy", costs.energy),
            "throughput": lambda _: cost("throughput", costs.throughput),
            "latency": lambda _: _seconds_per_hop(fields) if network else 1 / cost("throughput", costs.throughput),
        }


def _actions(fields: Fields) -> dict[str, Fields]:
    """The component's actions by name; those that the spec leaves out are there with nothing set."""
    node = fields.node
    if not isinstance(node, Component):
        return {}
    known = action_names(node)
    found: dict[str, Fields] = {}
    for action in fields.items("actions"):
        assert isinstance(action.node, Action)
        name = action.node.name
        if name not in known:
            _check_spelling(node, action.node, known)
            continue
        if name in found:
            raise SpecError.one(f"duplicate action {name!r} of {node.name}", action.node.place_of("name"))
        found[name] = action
    absent = {a: Fields(Action(name=a), fields.scope, fields.trace, f"{fields.label}.actions.{a}") for a in known}
    return {a: found.get(a, absent[a]) for a in known}


def _check_spelling(node: Component, action: Action, known: tuple[str, ...]) -> None:
    """Raise SpecError for an action that is misspelt; others cost nothing (`warn_of_uncounted`)."""
    if (meant := suggest(action.name, known)) is not None:
        raise SpecError.one(_uncounted(node, action, known), action.place_of("name"), meant)


def _uncounted(node: Component, action: Action, known: tuple[str, ...]) -> str:
    return f"{type(node).__name__} {node.name} has no action {action.name!r}; it has {', '.join(known)}"


def warn_of_uncounted(nodes: Iterable[ArchNode]) -> None:
    """Warn of actions that nodes state and the model never counts."""
    for node in nodes:
        if not isinstance(node, Component):
            continue
        known = action_names(node)
        for action in node.actions:
            if action.name not in known:
                place = action.place_of("name")
                message = f"{_uncounted(node, action, known)}: it is never counted"
                warnings.warn(SpecWarning(f"{place}: {message}" if place else message), stacklevel=2)


def action_fields(fields: Fields) -> dict[str, Fields]:
    """Evaluators of a component's actions, by name."""
    return _actions(fields)


def _own(fields: Fields, name: str, check: Callable[..., float]) -> float | None:
    return fields.number(name, check) if fields.given(name) else None


def _throughput(action: Fields) -> float | None:
    """Actions per second: the action's own, else from its latency."""
    if action.given("throughput") or not action.given("latency"):
        return _own(action, "throughput", positive)
    seconds = action.number("latency", at_least_zero)
    return 1 / seconds if seconds else math.inf


def _hops_per_second(hop: Fields) -> float:
    """Of one link; without a number as many as there are."""
    own = _own(hop, "throughput", positive)
    return math.inf if own is None else own


def _scaled(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _finite(value: float | None, fields: Fields, name: str, place: Position | None) -> float | None:
    """The cost, scaled. Raises SpecError for one that makes every sum infinite, wherever it comes from."""
    return None if value is None else finite(value, fields.what(name), fields.place(name) or place)


def _quick(value: float | None, parallel: float, action: Fields, place: Position | None) -> float | None:
    """Actions per second, scaled. Raises SpecError where one takes for ever, wherever that comes from."""
    if value is not None:
        name = "throughput" if action.given("throughput") else "latency"
        positive(value * parallel, f"{action.what(name)}: actions per second", action.place(name) or place)
    return value


def _scale(name: str, component: Fields, action: Fields) -> float:
    return component.number(name, at_least_zero) * action.number(name, at_least_zero)


def _speed(component: Fields, action: Fields) -> float:
    scale = partial(Fields.number, check=positive)
    faster = scale(component, "throughput_scale") * scale(action, "throughput_scale")
    return faster / (scale(component, "latency_scale") * scale(action, "latency_scale"))


def _query(fields: Fields, node: Component, wanted: tuple[str, ...], shared: Mapping[str, object]) -> ComponentQuery:
    from ffcore.plugin.interfaces import ComponentQuery

    attributes: dict[str, object] = dict(shared)
    for name in ("size", "n_parallel_instances", "bits_per_action"):
        if fields.given(name):
            attributes[name] = fields.get(name)
    own = fields.get("extra_attributes_for_component_model")
    attributes.update(own if isinstance(own, dict) else {})
    for name, action in _actions(fields).items():
        more = action.get("extra_attributes_for_component_model")
        bits = {"bits_per_action": action.get("bits_per_action")} if action.given("bits_per_action") else {}
        extra = {**bits, **(more if isinstance(more, dict) else {})}
        if extra:
            attributes[f"actions.{name}"] = extra
    return ComponentQuery(node.name, node.component_class or "", attributes, wanted)
