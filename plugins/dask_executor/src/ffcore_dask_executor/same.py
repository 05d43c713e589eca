"""Are ffcore and its plugins the same here and there?"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from ffcore.plugin import PluginError, versions

if TYPE_CHECKING:
    from distributed import Client

Versions = tuple[tuple[str, str], ...]
"""Distributions and their versions."""


@cache
def own_versions() -> Versions:
    """Of ffcore and the plugins of this process."""
    known = versions()
    return (("ffcore", str(known["ffcore"])), *sorted((str(n), str(v)) for n, v in known["plugins"].items()))


def difference(mine: Versions, theirs: Versions, who: str) -> str:
    """In one sentence, how ``theirs`` differ from ``mine``; empty if they don't."""
    here, there = dict(mine), dict(theirs)
    parts = [
        f"{name} is {there.get(name, 'missing')} there and {here.get(name, 'missing')} here"
        for name in sorted(here.keys() | there.keys())
        if here.get(name) != there.get(name)
    ]
    if not parts:
        return ""
    return f"{who} has other packages than this process: {'; '.join(parts)}; install the same in both"


def check_versions(client: Client) -> None:
    """Raise PluginError that names the first worker, or the scheduler, with other packages."""
    found: dict[str, object] = dict(client.run(own_versions, on_error="return"))
    try:
        found["scheduler"] = client.run_on_scheduler(own_versions)
    except Exception as error:  # whatever unpickling raises there
        found["scheduler"] = error
    check_found(found)


def check_found(found: Mapping[str, object]) -> None:
    """Raise PluginError for the first answer that is not ours."""
    for address, theirs in sorted(found.items()):
        who = "the Dask scheduler" if address == "scheduler" else f"the Dask worker at {address}"
        if isinstance(theirs, BaseException):
            raise PluginError(f"{who} cannot run ffcore with its plugins ({_said(theirs)}); install there what is here")
        if said := difference(own_versions(), theirs, who):  # type: ignore[arg-type]
            raise PluginError(said)


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
