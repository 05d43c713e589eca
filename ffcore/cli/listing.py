"""``ff plugins``: what is installed, what is broken, what clashes."""

from __future__ import annotations

import math

import attrs

from ffcore.errors import printable
from ffcore.plugin import RECORD_TYPES, ArchRecord, PluginManager, Record
from ffcore.spec.catalogue import default_text


def as_data(manager: PluginManager) -> dict[str, object]:
    """The listing as plain data: ``plugins``, ``parts`` (kind -> records) and ``problems``."""
    defaults = _picked_by_default()
    return {
        "plugins": [
            {
                "name": plugin.name,
                "distribution": plugin.distribution,
                "version": plugin.version,
                "reference": plugin.reference,
                "status": "disabled" if plugin.disabled else "broken" if plugin.error else "ok",
                "error": plugin.error,
            }
            for plugin in manager.plugins
        ],
        "parts": {
            kind: [
                {
                    **_record(record),
                    "distribution": p.distribution,
                    "default": record.name == defaults.get(kind),
                }
                for record, p in manager.providers(kind)
            ]
            for kind in RECORD_TYPES
        },
        "problems": list(manager.problems()),
    }


def _record(record: Record) -> dict[str, object]:
    result: dict[str, object] = {"name": record.name, "summary": record.summary}
    if isinstance(record, ArchRecord):
        result["parameters"] = [
            {**attrs.asdict(p), "default": "inf" if p.default == math.inf else p.default} for p in record.parameters
        ]  # JSON has no infinity; as text it is what --arch-param takes
    return result


def _picked_by_default() -> dict[str, str]:
    """Kind -> the part that is used where a spec names none."""
    from ffcore.plugin.builtin import DEFAULT_EXECUTOR
    from ffcore.spec.mapper import Mapper

    mapper = Mapper()
    return {"explorer": mapper.explorer, "joiner": mapper.joiner, "model": mapper.model, "executor": DEFAULT_EXECUTOR}


def as_text(manager: PluginManager) -> str:
    """The listing for people: distributions first, then the parts of each kind."""
    defaults = _picked_by_default()
    lines = ["plugins"]
    for plugin in manager.plugins:
        status = "  (disabled)" if plugin.disabled else "  (broken)" if plugin.error else ""
        lines.append(f"  {plugin.distribution} {plugin.version}{status}")
    for kind in RECORD_TYPES:
        lines.append(f"\n{kind.replace('_', ' ')}")
        providers = manager.providers(kind)
        width = max((len(record.name) for record, _ in providers), default=0)
        for record, plugin in providers:
            chosen = " (default)" if record.name == defaults.get(kind) else ""
            lines.append(f"  {record.name:{width}}  {record.summary}{chosen}  [{plugin.distribution}]")
            if isinstance(record, ArchRecord):
                lines.extend(
                    f"  {'':{width}}    {p.name} = {default_text(p)}  {p.summary}".rstrip() for p in record.parameters
                )
        if not providers:
            lines.append("  none")
    if problems := manager.problems():
        lines += ["\nproblems", *(f"  {problem}" for problem in problems)]
    return printable("\n".join(lines))
