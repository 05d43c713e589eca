"""What is wrong with a spec, what looks unintended, and what it holds."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from ffcore.cli import costs
from ffcore.cli.inputs import unused_parameters
from ffcore.diagnose.traps import traps
from ffcore.errors import FFError, SpecError, SpecProblem, SpecWarning
from ffcore.mapper.choice import as_searched, check_imperfect
from ffcore.mapping.check import check_mapping
from ffcore.mapping.dialect import tree_from_node
from ffcore.render.arch import view_arch
from ffcore.spec.architecture import Memory, walk

if TYPE_CHECKING:
    from ffcore.render.arch import NodeView
    from ffcore.spec import Spec
    from ffcore.spec.resolve.cost_table import ComponentCosts

_WORD = re.compile(r"[A-Za-z_]\w*")


@attrs.frozen
class Checked:
    """A valid spec, and what is legal in it but has no effect."""

    spec: Spec
    warnings: tuple[str, ...]
    costs: tuple[ComponentCosts, ...] | None = None  # where they were asked for
    imperfect: str = ""  # rank variables with imperfect factors, in words


def check(spec: Spec) -> Checked:
    """Check everything that can be checked without a search, the mapping too. Raises ``SpecError``."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", SpecWarning)
        problem = as_searched(spec).problem_without_costs()
        check_imperfect(problem, spec)
    if spec.mapping is not None:
        check_mapping(problem, tree_from_node(spec.mapping))
    told = dict.fromkeys(str(w.message) for w in caught if issubclass(w.category, SpecWarning))
    return Checked(
        spec,
        (*unused_parameters(spec), *_unused_variables(spec), *told, *traps(problem)),
        imperfect=problem.imperfect_text(),
    )


def _unused_variables(spec: Spec) -> list[str]:
    """Variables whose name stands in no text of the spec, so that no expression can use them."""
    words = set(_words(spec.to_dict()))
    tables = {"variables": spec.variables, "arch.variables": spec.arch.variables}
    return [f"{table}.{name}: nothing uses it" for table in tables for name in tables[table] if name not in words]


def _words(data: object) -> list[str]:
    """All words in the texts of plain data; keys of tables by set of tensors are expressions too."""
    if isinstance(data, str):
        return _WORD.findall(data)
    if isinstance(data, Mapping):
        inner = [w for key, value in data.items() if key != "variables" for w in _words(value)]
        variables = data.get("variables")
        inner += _words(list(variables.values())) if isinstance(variables, Mapping) else []
        return inner + [w for key in data if key != "variables" for w in _WORD.findall(str(key))]
    if isinstance(data, list | tuple):
        return [word for item in data for word in _words(item)]
    return []


def as_text(checked: Checked) -> str:
    """What a valid spec holds, in two lines."""
    spec = checked.spec
    mapping = "" if spec.mapping is None else ", a mapping"
    lines = [f"valid: {_count(len(_einsums(spec)), 'Einsum')}, {_count(len(_tensors(spec)), 'tensor')}{mapping}"]
    lines.append(" > ".join(_component(view) for view in _components(spec)))
    if checked.costs is not None:
        lines.append(costs.as_text(checked.costs))
    if checked.imperfect:
        lines.append(f"imperfect factors: {checked.imperfect}")
    return "\n".join(lines)


def _component(view: NodeView) -> str:
    """``GlobalBuffer 128 MiB``, ``Array [X ×16, Y ×16]``; a size that depends on the Einsum in brackets."""
    fanout = f" [{', '.join(view.fanout)}]" if view.fanout else ""
    fact = view.headline
    if fact and not (fact[0].isdigit() or fact == "unlimited" or view.kind == "Toll"):
        fact = f"({fact})"
    return f"{view.name}{' ' + fact if fact else ''}{fanout}"


def _components(spec: Spec) -> list[NodeView]:
    """All named nodes, outermost first."""
    found: list[NodeView] = []
    pending = list(reversed(view_arch(spec)))
    while pending:
        view = pending.pop()
        if view.name:
            found.append(view)
        pending.extend(reversed(view.children))
    return found


def _einsums(spec: Spec) -> list[str]:
    return [einsum.name for einsum in spec.workload.einsums]


def _tensors(spec: Spec) -> list[str]:
    return list(dict.fromkeys(a.name for einsum in spec.workload.einsums for a in einsum.tensor_accesses))


def as_data(load: Callable[[], Checked]) -> dict[str, Any]:
    """The same for JSON; what ``load`` raises as ``FFError`` are the problems."""
    try:
        checked = load()
    except SpecError as error:
        return {"valid": False, "problems": [_problem(p) for p in error.problems]}
    except FFError as error:
        return {"valid": False, "problems": [_problem(SpecProblem(str(error)))]}
    spec = checked.spec
    return {
        "valid": True,
        "problems": [],
        "warnings": list(checked.warnings),
        "einsums": _einsums(spec),
        "tensors": _tensors(spec),
        "components": [_component_data(node) for node in walk(spec.arch.nodes) if node.name],
        "mapping": spec.mapping is not None,
        "imperfect": checked.imperfect,
        **({} if checked.costs is None else {"costs": costs.as_data(checked.costs)}),
    }


def _component_data(node: Any) -> dict[str, Any]:
    data: dict[str, Any] = {"name": node.name, "type": type(node).__name__}
    if isinstance(node, Memory):  # bits; None: unlimited, text: an expression
        data["size"] = None if node.size == math.inf else node.size
    return data


def _problem(problem: SpecProblem) -> dict[str, Any]:
    place = problem.position
    return {
        "message": problem.message,
        "file": place.file if place else None,
        "line": place.line if place else None,
        "field": (place.field or None) if place else None,
        "suggestion": problem.suggestion,
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
