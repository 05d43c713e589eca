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
from ffcore.cli.arguments import MAPPER_FIELDS
from ffcore.cli.command import Request, spec_command
from ffcore.cli.convert import SETTINGS, convert
from ffcore.cli.group import Commands
from ffcore.cli.guard import INTERRUPTED, classified, guard
from ffcore.cli.list import list_command
from ffcore.cli.render import app as render_app
from ffcore.cli.resources import is_out_of_memory
from ffcore.cli.validate import validate

app = typer.Typer(
    name="ff",
    cls=Commands,
    help="Map tensor-algebra workloads onto accelerators: provably optimal fused mappings.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    add_completion=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from ffcore._version import __version__

        typer.echo(f"ff {__version__}")
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
@spec_command(*MAPPER_FIELDS, arch=opt.ArchToMap)
def map_command(
    request: Request,
    time_limit: opt.TimeLimit = None,
    memory_limit: opt.MemoryLimit = None,
    jobs: opt.Jobs = None,
    cache: opt.Cache = None,
    out: opt.Out = None,
    resume: opt.Resume = None,
    no_baseline: opt.NoBaseline = False,
    format: opt.OutputFormat = opt.Format.text,
    profile: opt.Profile = False,
) -> None:
    """Find the optimal mappings of a workload onto an architecture.

    `ff map ARCH WORKLOAD --out DIR` begins a run; `ff map --resume DIR` goes on with one that was interrupted, and
    takes --time-limit, --memory-limit, --jobs, --executor, --executor-option, --cache, --no-baseline, --format and
    --profile. Exit code: 0 found; 1 no valid mapping, none within the limits, or memory, disk or open files ran out;
    2 bad input; 3 workers are out of reach; 130 interrupted.
    """
    import attrs

    from ffcore.cli import map_run

    arguments = request.arguments
    if not arguments.arch and resume is None:
        raise typer.BadParameter("ARCH is missing (or --resume DIR, to go on with a run)")
    limits = map_run.limits(time_limit, memory_limit)
    wanted = map_run.Wanted(jobs, cache, out, format.value, profile, limits)
    if resume is not None:
        map_run.check_resume([*arguments.without_workers().given(), *(["--out"] if out else [])])
        wanted = attrs.evolve(wanted, limits={**arguments.workers, **limits})
        map_run.resume(resume, wanted, request.interrupts, not no_baseline)
        return
    arguments = attrs.evolve(arguments, mapper={**arguments.mapper, **limits}, baseline=not no_baseline)
    map_run.run(arguments, wanted, request.interrupts)


@app.command()
@spec_command("model", "cost_model")
def evaluate(request: Request, out: opt.Out = None, format: opt.OutputFormat = opt.Format.text) -> None:
    """Evaluate the mapping that one of the files holds under the key `mapping`.

    Exit code: 0 evaluated; 1 the mapping does not fit; 2 bad input.
    """
    from ffcore.cli import job, output

    arguments = request.arguments
    result = job.run_evaluate(arguments.load())
    output.show(output.titled(result, arguments.arch, arguments.workload), format.value, out)


app.add_typer(render_app, name="render")
app.command()(validate)
app.command("list")(list_command)
app.command("convert", context_settings=SETTINGS)(convert)


@app.command()
def plugins(
    format: opt.OutputFormat = opt.Format.text,
    no_plugins: opt.NoPlugins = False,
    debug: opt.Debug = False,
) -> None:
    """List what is installed: joiners, explorers, models, architectures, renderers, executors, commands."""
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
    except Exception as error:  # likewise
        message, code = classified(error)
        typer.echo(message, err=True)
        sys.exit(code)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            _leave(INTERRUPTED)
        if is_out_of_memory(end):
            _say_no_more()
        raise


def _say_no_more() -> None:
    """Python itself may stumble while the process ends without memory, and write of it behind our one sentence."""
    with suppress(OSError, ValueError, MemoryError):
        sys.stderr.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)


def _leave(code: int) -> None:
    """End at once: Python would wait for threads that are still at work, and nobody waits for what they do."""
    if threading.active_count() == 1:
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)
