"""``ff render workload|arch|mapping``: text for the terminal, pictures through renderer plugins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ffcore.cli import complete
from ffcore.cli.command import Request, spec_command

app = typer.Typer(
    help="Show a workload, an architecture or a mapping: as text, or as a picture through a renderer.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE...",
        help="Spec files or bare names, in any order.",
        show_default=False,
        autocompletion=complete.spec_files,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write it here; the suffix says how: .txt, .svg, .png, .dot."),
]
PictureFormat = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="txt, or what a renderer offers: svg, png, dot.  [default: txt]",
        autocompletion=complete.picture_formats,
    ),
]
Renderer = Annotated[
    str | None, typer.Option(help="What draws; see `ff plugins`.", autocompletion=complete.parts("renderer"))
]


@app.command()
@spec_command(files=Files)
def workload(request: Request, output: Output = None, format: PictureFormat = None, renderer: Renderer = None) -> None:
    """Einsums, tensors with shapes and sizes, who feeds whom. FILE...: WORKLOAD alone, or ARCH WORKLOAD.

    Exit code: 0 shown; 2 bad input.
    """
    from ffcore.cli import pictures
    from ffcore.render import render_workload

    spec = request.arguments.load()
    pictures.need(spec.workload.einsums, "workload")
    pictures.show(render_workload(spec, renderer), output, format)


@app.command()
@spec_command(files=Files)
def arch(request: Request, output: Output = None, format: PictureFormat = None, renderer: Renderer = None) -> None:
    """The tree of components with sizes, energies and rates. FILE...: ARCH.

    Exit code: 0 shown; 2 bad input.
    """
    from ffcore.cli import pictures
    from ffcore.render import render_arch

    spec = request.arguments.load()
    pictures.need(spec.arch.nodes, "arch")
    pictures.show(render_arch(spec, renderer), output, format)


@app.command()
@spec_command(files=Files)
def mapping(request: Request, output: Output = None, format: PictureFormat = None, renderer: Renderer = None) -> None:
    """Holders, loops and Einsums. FILE...: ARCH WORKLOAD MAPPING.yaml or, without trip counts and sizes, MAPPING.yaml.

    Exit code: 0 shown; 2 bad input.
    """
    from ffcore.cli import pictures
    from ffcore.mapping.dialect import tree_from_node
    from ffcore.render import render_mapping

    spec = request.arguments.load()
    pictures.need(spec.mapping, "mapping")
    assert spec.mapping is not None
    tree = tree_from_node(spec.mapping)
    whole = bool(spec.arch.nodes) and bool(spec.workload.einsums)
    problem = spec.problem_without_costs() if whole else None
    pictures.show(render_mapping(tree, problem, renderer), output, format)
