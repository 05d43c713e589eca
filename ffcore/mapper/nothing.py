"""Where nothing was found: the one place that asks the diagnosis why."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import attrs

from ffcore import plugin
from ffcore.errors import NoValidMappingError
from ffcore.pmappings.guarantee import check_complete
from ffcore.pmappings.set import JoinedMapping, PmappingSet
from ffcore.spec.problem import Problem

if TYPE_CHECKING:
    from ffcore.plugin import Joiner


def is_exact(joiner: str) -> bool:
    """Does the joiner of this name return nothing only where nothing goes together?"""
    record = plugin.current_manager().record("joiner", joiner)
    return isinstance(record, plugin.JoinerRecord) and record.exact


def check_explored(problem: Problem, found: Any) -> None:
    """Raise NoValidMappingError, with the reason, if some Einsum has no pmapping."""
    if not getattr(found, "without", ()):  # an explorer of a plugin may have a set of its own
        return
    if isinstance(found, PmappingSet):
        from ffcore.diagnose import explain_einsums

        raise explain_einsums(problem, found.without)
    name = found.without[0]
    message = f"Einsum {name}: no mapping keeps all constraints and fits; `ff explain` says why"
    raise NoValidMappingError(message, einsum=name)


def nothing_joined(problem: Problem, pmappings: object, joiner: Joiner, exact: bool) -> NoValidMappingError:
    """The error that says why a joiner returned nothing. Raises TimeLimitError where pmappings are missing."""
    if not exact or not isinstance(pmappings, PmappingSet):
        return NoValidMappingError(
            "no combination of pmappings is compatible and fits in every memory; `ff explain` says why"
        )
    check_complete(problem, pmappings)

    def join(changed: Problem, found: PmappingSet) -> list[JoinedMapping]:
        options = attrs.evolve(changed.options, time_limit=math.inf)
        return list(joiner.join(attrs.evolve(changed, options=options), found))

    from ffcore.diagnose import explain_join

    return explain_join(problem, pmappings, join)
