"""Which explorer and which joiner a spec means: the one place that knows what goes with what."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ffcore import plugin
from ffcore.plugin import JoinerRecord
from ffcore.plugin.given_options import check_options
from ffcore.plugin.known import DEFAULT_JOINER

if TYPE_CHECKING:
    from ffcore.spec import Spec

DEFAULT_EXPLORER = "default"
ALONE = "single"
"""The joiner for workloads of one Einsum, which core brings along."""


def joiner_name(spec: Spec) -> str:
    """The name of the joiner that a spec means.

    It is the one that it names; where the default one is not installed and nothing has to be joined, core's own.
    """
    named = spec.mapper.joiner
    if named != DEFAULT_JOINER or len(spec.workload.einsums) != 1 or named in plugin.names("joiner"):
        return named
    return ALONE


def explorer_of(spec: Spec, joiner: str | None = None) -> str:
    """The name of the explorer that makes pmappings for a joiner (None: the spec's).

    It is the one that the spec names; where it is left at its default, the one that the joiner asks for.
    """
    named = spec.mapper.explorer
    if named != DEFAULT_EXPLORER:
        return named
    wanted = joiner or joiner_name(spec)
    # A joiner that is not installed is for the join to complain of: pmappings can be made without one.
    found = [r.explorer for r in plugin.records("joiner") if isinstance(r, JoinerRecord) and r.name == wanted]
    return found[0] if found else DEFAULT_EXPLORER


def joiner_of(spec: Spec, name: str | None = None, options: Mapping[str, Any] | None = None) -> Any:
    """The joiner ``name`` (None: the spec's) with ``options`` and, if the spec names it too, the spec's options for it.

    Raises SpecError for options that it does not have, PluginError where it is not installed; what it says of values
    that make no sense (FFError) passes through.
    """
    wanted = name or joiner_name(spec)
    own = spec.mapper.joiner_options if wanted == spec.mapper.joiner else {}
    both = {**own, **(options or {})}
    check_options("joiner", wanted, both, lambda o: spec.mapper.place_of("joiner_options") if o in own else None)
    return plugin.get("joiner", wanted, **both)
