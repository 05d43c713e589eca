"""An explanation as plain data, for JSON."""

from __future__ import annotations

import math
from typing import Any

from ffcore.plugin import Cause, Need, Position
from ffcore_explain.explanation import Effect, Explanation, Limit, Optimum, Reason, Setting


def as_data(explanation: Explanation) -> dict[str, Any]:
    """Energies in J, latencies in s, sizes in bits; what is not known or not finite is null."""
    return {
        "feasible": explanation.feasible,
        "complete": explanation.complete,
        "joiner": explanation.joiner,
        "guarantee": explanation.guarantee,
        "goals": [str(goal) for goal in explanation.goals],
        "optimum": _optimum(explanation.optimum),
        "effects": [_effect(effect) for effect in explanation.effects],
        "reasons": [_reason(reason) for reason in explanation.reasons],
        "way_out": _settings(explanation.way_out),
        "notes": list(explanation.notes),
    }


def _optimum(optimum: Optimum | None) -> dict[str, Any] | None:
    if optimum is None:
        return None
    return {
        str(goal): {"energy": best.energy, "latency": best.latency, "edp": best.edp}
        for goal, best in optimum.best.items()
    }


def _effect(effect: Effect) -> dict[str, Any]:
    lift = effect.lift
    return {
        **_field(lift),
        "memory": lift.memory or None,
        "depended_on": lift.depended_on,
        "settings": _settings(lift.settings),
        "outcome": str(effect.outcome),
        "factors": {str(goal): _finite(gain) for goal, gain in effect.gains.items()},
        "optimum": _optimum(effect.optimum),
        "needed_bits": _finite(effect.needed_bits),
        "too_small_bits": effect.too_small_bits if effect.needed_bits is not None else None,
        "needed_exact": effect.needed_exact,
        "seconds": effect.seconds,
        "note": effect.note,
    }


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "cause": _cause(reason.cause),
        "fields": [_field(field) for field in reason.fields],
        "suggestions": [{"settings": _settings(s.settings), "works": s.works} for s in reason.suggestions],
    }


def _field(lift: Limit) -> dict[str, Any]:
    return {"path": lift.path, "says": lift.says, "place": _place(lift.position), "default": lift.default}


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "kind": str(cause.kind),
        "message": cause.message,
        "einsum": cause.einsum or None,
        "memory": cause.memory or None,
        "has_bits": cause.needs[0].has_bits if cause.needs else None,
        "needed_bits": cause.needed_bits,
        "exact": cause.needs[0].exact if cause.needs else None,
        "needs": [_need(need) for need in cause.needs],
        "alternatives": [_need(need) for need in cause.instead],
        "constraints": [{"path": c.path, "text": c.text} for c in cause.constraints],
        "any_one": cause.any_one,
        "also_small": cause.also_small,
    }


def _need(need: Need) -> dict[str, Any]:
    return {
        "memory": need.memory,
        "path": need.path,
        "has_bits": need.has_bits,
        "needed_bits": need.needed_bits,
        "exact": need.exact,
        "einsum": need.einsum or None,
    }


def _settings(settings: tuple[Setting, ...]) -> list[dict[str, str]]:
    return [{"path": s.path, "value": s.value} for s in settings]


def _place(position: Position | None) -> dict[str, Any] | None:
    return None if position is None else {"file": position.file, "line": position.line}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
