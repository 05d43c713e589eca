"""``ff render workload|arch|mapping``: text for the terminal, pictures through renderer plugins."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ffcore.cli import complete
from ffcore.cli import options as opt
from ffcore.cli.guard import guard

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
def workload(
    files: Files,
    output: Output = None,
    format: PictureFormat = None,
    renderer: Renderer = None,
    set_variable: opt.SetVariable = None,
    set_field: opt.SetField = None,
    arch_param: opt.ArchParam = None,
    allow_dir: opt.AllowDir = None,
    no_plugins: opt.NoPlugins = False,
    debug: opt.Debug = False,
) -> None:
    """Einsums, tensors with shapes and sizes, who feeds whom. FILE...: WORKLOAD alone, or ARCH WORKLOAD.

    Exit code: 0 shown; 2 bad input.
    """
    with guard(debug=debug, no_plugins=no_plugins):
        from ffcore.cli import inputs, pictures
        from ffcore.render import render_workload

        spec = inputs.load_spec(
            files[0],
            files[1:],
            variables=set_variable,
            fields=set_field,
            arch_params=arch_param,
            allowed_dirs=allow_dir,
        )
        pictures.need(spec.workload.einsums, "workload")
        pictures.show(render_workload(spec, renderer), output, format)


@app.command()
def arch(
    files: Files,
    output: Output = None,
    format: PictureFormat = None,
    renderer: Renderer = None,
    set_variable: opt.SetVariable = None,
    set_field: opt.SetField = None,
    arch_param: opt.ArchParam = None,
    allow_dir: opt.AllowDir = None,
    no_plugins: opt.NoPlugins = False,
    debug: opt.Debug = False,
) -> None:
    """The tree of components with sizes, energies and rates. FILE...: ARCH.

    Exit code: 0 shown; 2 bad input.
    """
    with guard(debug=debug, no_plugins=no_plugins):
        from ffcore.cli import inputs, pictures
        from ffcore.render import render_arch

        spec = inputs.load_spec(
            files[0],
            files[1:],
            variables=set_variable,
            fields=set_field,
            arch_params=arch_param,
            allowed_dirs=allow_dir,
        )
        pictures.need(spec.arch.nodes, "arch")
        pictures.show(render_arch(spec, renderer), output, format)


@app.command()
def mapping(
    files: Files,
    output: Output = None,
    format: PictureFormat = None,
    renderer: Renderer = None,
    set_variable: opt.SetVariable = None,
    set_field: opt.SetField = None,
    arch_param: opt.ArchParam = None,
    allow_dir: opt.AllowDir = None,
    no_plugins: opt.NoPlugins = False,
    debug: opt.Debug = False,
) -> None:
    """Holders, loops and Einsums. FILE...: ARCH WORKLOAD MAPPING.yaml or, without trip counts and sizes, MAPPING.yaml.

    Exit code: 0 shown; 2 bad input.
    """
    with guard(debug=debug, no_plugins=no_plugins):
        from ffcore.cli import inputs, pictures
        from ffcore.mapping.dialect import tree_from_node
        from ffcore.render import render_mapping

        spec = inputs.load_spec(
            files[0],
            files[1:],
            variables=set_variable,
            fields=set_field,
            arch_params=arch_param,
            allowed_dirs=allow_dir,
        )
        pictures.need(spec.mapping, "mapping")
        assert spec.mapping is not None
        tree = tree_from_node(spec.mapping)
        whole = bool(spec.arch.nodes) and bool(spec.workload.einsums)
        problem = spec.problem_without_costs() if whole else None
        pictures.show(render_mapping(tree, problem, renderer), output, format)
