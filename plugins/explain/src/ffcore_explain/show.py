"""Showing an explanation: text or JSON on stdout, JSON in a file."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

import typer

from ffcore.plugin import Dimension, bits_text, format_quantity, write_file
from ffcore_explain.explanation import Effect, Explanation, Goal, Limit, Optimum, Outcome, Reason, Setting, Suggestion

_LONGEST = 60  # characters of a field's text in a table

_DEPENDED_ON = " (other fields as they are: costs or sizes of this spec depend on it)"

_NAMES = {Goal.EDP: "energy-delay product", Goal.ENERGY: "energy", Goal.LATENCY: "latency"}
_SHORT = {Goal.EDP: "EDP", Goal.ENERGY: "energy", Goal.LATENCY: "latency"}


def show(explanation: Explanation, format: str, out: Path | None) -> None:
    """Write the explanation as JSON into the file ``out``, if given, and print it (``text`` or ``json``)."""
    text = json.dumps(explanation.as_data(), indent=2, allow_nan=False)
    try:
        if out is not None:
            write_file(out, text + "\n")
    finally:  # neither is lost to what becomes of the other
        typer.echo(text if format == "json" else as_text(explanation))


def as_text(explanation: Explanation) -> str:
    """The explanation for people."""
    lines = [f"note: {note}" for note in explanation.notes]
    if explanation.optimum is not None:
        lines += _costs(explanation, explanation.optimum)
    elif explanation.reasons:
        lines += _reasons(explanation)
    return "\n".join(lines)


# ---- a mapping is valid


def _costs(explanation: Explanation, optimum: Optimum) -> list[str]:
    lines = [_best(optimum, goal) for goal in explanation.goals]
    if explanation.guarantee != "optimal":
        lines.append(f"guarantee of each of these and of those below: {explanation.guarantee}")
    groups = {outcome: [e for e in explanation.effects if e.outcome is outcome] for outcome in Outcome}
    tried = [e for outcome in (Outcome.BETTER, Outcome.WORSE) for e in groups[outcome]]
    if tried:
        lines += ["", *_table(explanation.goals, tried)]
    needs = [line for effect in groups[Outcome.BETTER] for line in _needs(effect)]
    if needs:
        lines += ["", *needs]
    if groups[Outcome.WORSE]:
        lines += ["", "a factor below 1: where more is possible, min_usage asks for more, and that may cost more"]
    lines += _named("cost nothing:", groups[Outcome.EQUAL])
    lines += _named("rule nothing out:", groups[Outcome.IDLE])
    for outcome, title in (
        (Outcome.UNFINISHED, "not known (a larger --time-limit may help):"),
        (Outcome.FAILED, "cannot be lifted:"),
        (Outcome.PENDING, "interrupted before:"),
    ):
        lines += _named(title, groups[outcome])
    return lines


def _best(optimum: Optimum, goal: Goal) -> str:
    best = optimum.best[goal]
    energy = format_quantity(best.energy, Dimension.ENERGY, 6)
    latency = format_quantity(best.latency, Dimension.TIME, 6)
    return f"least {_NAMES[goal]}: {_value(best.value(goal), goal)} ({energy}, {latency})"


def _value(value: float, goal: Goal) -> str:
    if goal is Goal.EDP:
        return f"{value:.6g} J·s"
    return format_quantity(value, Dimension.ENERGY if goal is Goal.ENERGY else Dimension.TIME, 6)


def _table(goals: Sequence[Goal], effects: Sequence[Effect]) -> list[str]:
    """Of each limit, the least value in each goal without it, and the factor by which that is less; then its place."""
    head = [cell for goal in goals for cell in (f"least {_SHORT[goal]}", "factor")]
    rows = [[*head, "without"], *([*_cells(goals, effect), _says(effect.lift)] for effect in effects)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return ["  ".join([*(c.rjust(w) for c, w in zip(row, widths, strict=False)), row[-1]]) for row in rows]


def _cells(goals: Sequence[Goal], effect: Effect) -> list[str]:
    if effect.optimum is None:
        return [cell for _ in goals for cell in ("none", "-")]
    return [cell for goal in goals for cell in (_value(effect.optimum.value(goal), goal), _factor(effect.gains[goal]))]


def _factor(gain: float) -> str:
    return "1" if gain == 1 else f"{gain:.4g}" if abs(gain - 1) >= 1e-3 else f"{gain:.6f}"


def _says(lift: Limit) -> str:
    text = lift.says if len(lift.says) <= _LONGEST else lift.says[: _LONGEST - 1] + "…"
    place = " (default)" if lift.default else ""
    if lift.position is not None:
        place = f" ({lift.position.file}:{lift.position.line})"
    return f"{lift.path} = {text}{place}{_DEPENDED_ON if lift.depended_on else ''}"


def _needs(effect: Effect) -> list[str]:
    """How large a memory would have to be."""
    if effect.needed_bits is None:
        return []
    gain, size = _factor(next(iter(effect.gains.values()))), bits_text(effect.needed_bits)
    if effect.needed_exact:
        enough = f"the smallest size that is enough is {size}"
    else:
        enough = f"{size} is enough, {bits_text(effect.too_small_bits)} is not (between them nothing was tried)"
    return [f"{effect.lift.memory}: for the factor {gain} it need not be unlimited: {enough}"]


def _named(title: str, effects: Iterable[Effect]) -> list[str]:
    listed = [f"  {_says(e.lift)}{f': {e.note}' if e.note else ''}" for e in effects]
    return ["", title, *listed] if listed else []


# ---- nothing is valid


def _reasons(explanation: Explanation) -> list[str]:
    lines = []
    for number, reason in enumerate(explanation.reasons):
        lines += ["no valid mapping" if number == 0 else "and with the first of these, still none"]
        lines += _reason(reason)
        lines.append("")
    way = explanation.way_out
    if len(explanation.reasons) > 1 and way:
        lines += ["a mapping is valid with all of", f"  {_options(way)}"]
    return lines if lines[-1] else lines[:-1]


def _reason(reason: Reason) -> list[str]:
    lines = [f"  {reason.cause.message}"]
    lines += [f"  {_says(field)}" for field in reason.fields]
    works = [s for s in reason.suggestions if s.works]
    maybe = [s for s in reason.suggestions if s.works is None]
    more = [s for s in reason.suggestions if s.works is False]
    lines += _listed("a mapping is valid with" + (" any one of" if len(works) > 1 else ""), works)
    lines += _listed("not tried for want of time", maybe)
    lines += _listed("needed, but not enough alone", more if not works else [])
    return lines


def _listed(title: str, suggestions: Sequence[Suggestion]) -> list[str]:
    listed = [f"    {_options(s.settings)}" for s in suggestions]
    return [f"  {title}:", *listed] if listed else []


def _options(settings: Iterable[Setting]) -> str:
    return " ".join(f"--spec {shlex.quote(str(setting))}" for setting in settings)
