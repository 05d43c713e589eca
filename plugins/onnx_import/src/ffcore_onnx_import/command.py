"""The command `ff convert`: a network as native YAML, to be edited."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ffcore.plugin import SpecError, guard, options


def convert(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An ONNX file.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the YAML goes.")],
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="Size of a symbolic dimension, batch=1.")
    ] = None,
    onnx_unknown: Annotated[
        str, typer.Option(help="What becomes of unknown operators: error, or copy (mapped as a copy).")
    ] = "error",
    persistent_weights: Annotated[
        bool, typer.Option("--persistent-weights", help="Weights stay in their memory throughout.")
    ] = False,
    fold_elementwise: Annotated[
        bool, typer.Option("--fold-elementwise", help="Elementwise nodes become part of what makes their input.")
    ] = False,
    pairwise_joins: Annotated[
        bool, typer.Option("--pairwise-joins", help="Joins of three parts or more are done two by two.")
    ] = False,
    bits_per_value: Annotated[
        int | None, typer.Option(help="Bits of every value (default: those of the file's own types).")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the output if it is there.")] = False,
    debug: options.Debug = False,
) -> None:
    """Write an ONNX network as a native workload, with names, shapes and comments to go on with.

    Exit code: 0 written; 2 bad input.
    """
    with guard(debug=debug):
        from ffcore_onnx_import.convert import convert as write

        parameters: dict[str, object] = dict(_setting(text) for text in settings or [])
        parameters |= {"onnx_unknown": onnx_unknown, "persistent_weights": persistent_weights}
        parameters |= {"fold_elementwise": fold_elementwise, "pairwise_joins": pairwise_joins}
        if bits_per_value is not None:
            parameters["bits_per_value"] = bits_per_value
        summary = write(file, out, parameters, force=force)
        typer.echo("\n".join([f"wrote {out}", *summary.lines]))


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise SpecError.one(f"--set takes NAME=VALUE, not {text!r}")
    return name, value
