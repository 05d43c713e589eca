"""The commands of ``ff``. Everything but typer is imported when a command runs, so that ``ff --help`` is quick."""

from __future__ import annotations

import atexit
import gc
import os
import sys
import threading
from contextlib import suppress
from typing import Annotated

import typer

from ffcore.cli import options as opt
from ffcore.cli.compare import compare
from ffcore.cli.explain import explain
from ffcore.cli.guard import INTERRUPTED, guard
from ffcore.cli.new_plugin import new_plugin
from ffcore.cli.render import app as render_app
from ffcore.cli.report import report
from ffcore.cli.sweep import sweep
from ffcore.cli.validate import validate

app = typer.Typer(
    name="ff",
    help="Map tensor-algebra workloads onto accelerators: provably optimal fused mappings.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        import ffcore

        typer.echo(f"ff {ffcore.__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Map tensor-algebra workloads onto accelerators, provably optimally."""
    pass


@app.command("map")
def map_command(
    arch: opt.ArchToMap = None,
    workload: opt.Workload = None,
    set_variable: opt.SetVariable = None,
    set_field: opt.SetField = None,
    arch_param: opt.ArchParam = None,
    allow_dir: opt.AllowDir = None,
    metrics: opt.Metrics = None,
    max_fused_loops: opt.MaxFusedLoops = None,
    imperfect: opt.Imperfect = None,
    explorer: opt.Explorer = None,
    joiner: opt.Joiner = None,
    model: opt.Model = None,
    cost_model: opt.CostModel = None,
    time_limit: opt.TimeLimit = None,
    memory_limit: opt.MemoryLimit = None,
    jobs: opt.Jobs = None,
    executor: opt.ExecutorName = None,
    cache: opt.Cache = None,
    out: opt.Out = None,
    resume: opt.Resume = None,
    no_baseline: opt.NoBaseline = False,
    format: opt.OutputFormat = opt.Format.text,
    profile: opt.Profile = False,
    no_plugins: opt.NoPlugins = False,
    debug: opt.Debug = False,
) -> None:
    """Find the optimal mappings of a workload onto an architecture.

    `ff map ARCH WORKLOAD --out DIR` begins a run; `ff map --resume DIR` goes on with one that was interrupted, and
    takes --time-limit, --memory-limit, --jobs, --cache, --no-baseline, --format and --profile. Exit code: 0 found;
    1 no valid mapping, or none within the limits; 2 bad input; 130 interrupted.
    """
    mapper = {
        "ffm.metrics": metrics,
        "ffm.max_fused_loops": max_fused_loops,
        "ffm.explore_imperfect_temporal_loops": imperfect,
        "ffm.explore_imperfect_spatial_loops": imperfect,
        "explorer": explorer,
        "joiner": joiner,
        "model": model,
        "cost_model": cost_model,
        "executor": executor,
    }
    if arch is None and resume is None:
        raise typer.BadParameter("ARCH is missing (or --resume DIR, to go on with a run)")
    with guard(debug=debug, no_plugins=no_plugins) as interrupts:
        from ffcore.cli import map_run
        from ffcore.cli.run_folder import Arguments

        limits = map_run.limits(time_limit, memory_limit)
        wanted = map_run.Wanted(jobs, cache, out, format.value, profile, limits)
        if resume is not None:
            files = {"ARCH": arch, "WORKLOAD": workload, "--set": set_variable, "--spec": set_field, "--out": out}
            others = {"--arch-param": arch_param, "--allow-dir": allow_dir}
            del mapper["ffm.explore_imperfect_spatial_loops"]
            mapper["imperfect"] = mapper.pop("ffm.explore_imperfect_temporal_loops")
            words = {f"--{name.removeprefix('ffm.').replace('_', '-')}": text for name, text in mapper.items()}
            map_run.check_resume([name for name, value in {**files, **others, **words}.items() if value])
            map_run.resume(resume, wanted, interrupts, not no_baseline)
            return
        assert arch is not None
        arguments = Arguments(
            arch,
            workload,
            set_variable,
            set_field,
            arch_param,
            [str(folder) for folder in allow_dir or ()],
            {name: text for name, text in mapper.items() if text is not None} | limits,
            no_plugins,
            not no_baseline,
        )
        map_run.run(arguments, wanted, interrupts)


@app.command()
def evaluate(
    arch: opt.Arch,
    workload: opt.Workload = None,
    set_variable: opt.SetVariable = None,
    set_field: opt.SetField = None,
    arch_param: opt.ArchParam = None,
    allow_dir: opt.AllowDir = None,
    model: opt.Model = None,
    cost_model: opt.CostModel = None,
    out: opt.Out = None,
    format: opt.OutputFormat = opt.Format.text,
    no_plugins: opt.NoPlugins = False,
    debug: opt.Debug = False,
) -> None:
    """Evaluate the mapping that one of the files holds under the key `mapping`.

    Exit code: 0 evaluated; 1 the mapping does not fit; 2 bad input.
    """
    with guard(debug=debug, no_plugins=no_plugins):
        from ffcore.cli import inputs, job, output

        spec = inputs.load_spec(
            arch,
            workload,
            variables=set_variable,
            fields=set_field,
            arch_params=arch_param,
            allowed_dirs=allow_dir,
            mapper={"model": model, "cost_model": cost_model},
        )
        result = job.run_evaluate(spec)
        output.show(output.titled(result, arch, workload or ()), format.value, out)


app.command()(compare)
app.command()(explain)
app.add_typer(render_app, name="render")
app.command()(sweep)
app.command("new-plugin")(new_plugin)
app.command()(report)
app.command()(validate)


@app.command()
def plugins(
    format: opt.OutputFormat = opt.Format.text,
    no_plugins: opt.NoPlugins = False,
    debug: opt.Debug = False,
) -> None:
    """List what is installed: joiners, explorers, models, architectures, renderers, executors."""
    with guard(debug=debug, no_plugins=no_plugins):
        from ffcore.cli import listing
        from ffcore.plugin import current_manager

        if format is opt.Format.json:
            import json

            typer.echo(json.dumps(listing.as_data(current_manager()), indent=2, allow_nan=False))
        else:
            typer.echo(listing.as_text(current_manager()))


def main() -> None:
    """Entry point of ``ff`` and of ``python -m ffcore.cli``."""
    # Nearly all that a job makes lives until its end: searching it for garbage again and again, and once more when the
    # process ends, would take longer than reading a large spec. Young objects are collected as ever.
    gc.set_threshold(*gc.get_threshold()[:2], 1000)
    atexit.register(gc.freeze)
    try:
        app(prog_name="ff")
    except KeyboardInterrupt:  # before a command's own guard is up
        _leave(INTERRUPTED)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _leave(INTERRUPTED)
        raise


def _leave(code: int) -> None:
    """End at once: Python would wait for threads that are still at work, and nobody waits for what they do."""
    if threading.active_count() == 1:
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
