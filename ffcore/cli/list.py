"""``ff list``: which architectures and workloads there are, with their parameters."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ffcore.cli import options as opt
from ffcore.cli.guard import guard

if TYPE_CHECKING:
    from ffcore.spec.catalogue import Listed

_KINDS = {"arches": "architectures", "workloads": "workloads"}
_WIDTH = 120


def list_command(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="arches, workloads, or the name of one: all about it.")
    ] = None,
    format: opt.OutputFormat = opt.Format.text,
    no_plugins: opt.NoPlugins = False,
    debug: opt.Debug = False,
) -> None:
    """List the architectures and workloads that have a name, with a line on each and their parameters.

    Parameters of packaged files are set with `--set`, those of architectures that plugins register with `--arch-param`.
    """
    with guard(debug=debug, no_plugins=no_plugins):
        from ffcore.spec.catalogue import catalogue

        found = {kind: catalogue(kind) for kind in ([name] if name in _KINDS else _KINDS)}
        if name is not None and name not in _KINDS:
            found = _one(name, found)
        if format is opt.Format.json:
            import json

            import attrs

            data: dict[str, Any] = {kind: [attrs.asdict(i) for i in items] for kind, items in found.items()}
            typer.echo(json.dumps(data, indent=2))
        else:
            typer.echo(
                "\n\n".join(_text(kind, items, name in (None, *_KINDS)) for kind, items in found.items() if items)
            )


def _one(name: str, found: dict[str, tuple[Listed, ...]]) -> dict[str, tuple[Listed, ...]]:
    from ffcore.errors import SpecError, suggest

    names = [item.name for items in found.values() for item in items]
    if name not in names:
        raise SpecError.one(f"nothing is named {name!r}; there are {', '.join(names)}", None, suggest(name, names))
    return {kind: tuple(item for item in items if item.name == name) for kind, items in found.items()}


def _text(kind: str, items: tuple[Listed, ...], brief: bool) -> str:
    if not brief:
        return "\n\n".join(_whole(item) for item in items)
    width = max(len(item.name) for item in items)
    lines = [_KINDS[kind]]
    for item in items:
        source = f"  [{item.plugin}]" if item.plugin else ""
        lines.append(f"  {item.name:{width}}  {item.summary}{source}")
        if item.parameters:
            # those of plugins are many, and `ff list NAME` explains them
            parameters = ", ".join(p.name if item.plugin else f"{p.name}={p.default}" for p in item.parameters)
            indent = " " * (width + 6)
            lines += textwrap.wrap(parameters, _WIDTH, initial_indent=indent, subsequent_indent=indent)
    return "\n".join(lines)


def _whole(item: Listed) -> str:
    width = max((len(f"{p.name} = {p.default}") for p in item.parameters), default=0)
    lines = [item.name, *textwrap.indent(item.about or item.summary, "  ").splitlines()]
    if item.parameters:
        option = "--arch-param" if item.plugin else "--set"
        lines += ["", f"  parameters ({option} NAME=VALUE)"]
        lines += [f"    {f'{p.name} = {p.default}':{width}}  {p.meaning}".rstrip() for p in item.parameters]
    return "\n".join(lines)
