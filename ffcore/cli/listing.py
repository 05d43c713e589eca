"""``ff plugins``: what is installed, what is broken, what clashes."""

from __future__ import annotations

import attrs

from ffcore.plugin import RECORD_TYPES, ArchRecord, PluginManager, Record


def as_data(manager: PluginManager) -> dict[str, object]:
    """The listing as plain data: ``plugins``, ``parts`` (kind -> records) and ``problems``."""
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
            kind: [{**_record(record), "distribution": p.distribution} for record, p in manager.providers(kind)]
            for kind in RECORD_TYPES
        },
        "problems": list(manager.problems()),
    }


def _record(record: Record) -> dict[str, object]:
    result: dict[str, object] = {"name": record.name, "summary": record.summary}
    if isinstance(record, ArchRecord):
        result["parameters"] = [attrs.asdict(parameter) for parameter in record.parameters]
    return result


def as_text(manager: PluginManager) -> str:
    """The listing for people: distributions first, then the parts of each kind."""
    lines = ["plugins"]
    for plugin in manager.plugins:
        status = "  (disabled)" if plugin.disabled else "  (broken)" if plugin.error else ""
        lines.append(f"  {plugin.distribution} {plugin.version}{status}")
    for kind in RECORD_TYPES:
        lines.append(f"\n{kind.replace('_', ' ')}")
        providers = manager.providers(kind)
        width = max((len(record.name) for record, _ in providers), default=0)
        for record, plugin in providers:
            lines.append(f"  {record.name:{width}}  {record.summary}  [{plugin.distribution}]")
            if isinstance(record, ArchRecord):
                lines.extend(
                    f"  {'':{width}}    {p.name} = {p.default}{' ' + p.unit if p.unit else ''}  {p.summary}".rstrip()
                    for p in record.parameters
                )
        if not providers:
            lines.append("  none")
    if problems := manager.problems():
        lines += ["\nproblems", *(f"  {problem}" for problem in problems)]
    return "\n".join(lines)
