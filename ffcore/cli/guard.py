"""Exit codes, and what the user sees of an error: one clear message on stderr, never a traceback."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

from ffcore.cli.resources import resource_end

if TYPE_CHECKING:
    from ffcore.cli.interrupt import Interrupts

OK = 0
NO_VALID_MAPPING = 1
BAD_INPUT = 2
INTERNAL_ERROR = 3
INTERRUPTED = 130

MOST_WARNINGS = 20


@contextmanager
def guard(*, debug: bool = False, no_plugins: bool = False) -> Iterator[Interrupts]:
    """Run a command's body; turn what it raises into a message and an exit code.

    1: no valid mapping, or a limit of time or memory left none, or memory, disk or files ran out; 2: bad input;
    3: a bug of ours, or workers that are out of reach; 130: Ctrl-C or SIGTERM, with what the KeyboardInterrupt says.
    ``debug`` prints tracebacks of all of them. ``no_plugins`` holds for the body and the worker processes that it
    starts. Yields the `Interrupts`, which say whether there was a Ctrl-C.
    """
    from ffcore.cli.interrupt import interrupts

    with interrupts() as state, plugins_disabled() if no_plugins else _nothing(), _plain_warnings():
        try:
            yield state
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except BrokenPipeError:  # the reader of our output has gone; there is nobody to tell
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(OK) from None
        except KeyboardInterrupt as interrupt:
            raise _exit(str(interrupt) or "interrupted", INTERRUPTED, debug) from None
        except Exception as error:
            if state.happened:  # what is interrupted in the middle of an import may raise anything
                raise _exit("interrupted", INTERRUPTED, debug) from None
            raise _exit(*classified(error), debug) from None


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """What is wrong with a spec is one line for people, not a line of our code."""
    with warnings.catch_warnings():
        shown = warnings.showwarning
        told = 0

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            nonlocal told
            if category.__name__ == "SpecWarning":
                told += 1
                if told <= MOST_WARNINGS:
                    typer.echo(f"warning: {message}", err=True)
                elif told == MOST_WARNINGS + 1:
                    typer.echo("warning: there are more, which `ff validate --format json` lists", err=True)
            else:
                shown(message, category, *place, **more)

        warnings.showwarning = show
        yield


def classified(error: Exception) -> tuple[str, int]:
    """What a user is told of an error, and the exit code."""
    if (message := resource_end(error)) is not None:
        return message, NO_VALID_MAPPING
    from ffcore.errors import ExecutorError, FFError, LimitError, NoValidMappingError

    if isinstance(error, LimitError):
        return str(error), NO_VALID_MAPPING
    if isinstance(error, NoValidMappingError):
        return f"no valid mapping: {error}", NO_VALID_MAPPING
    if isinstance(error, ExecutorError):
        return str(error), INTERNAL_ERROR
    if isinstance(error, FFError):
        return str(error), BAD_INPUT
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}", BAD_INPUT
    kind = type(error).__name__
    return (
        f"internal error, a bug of ffcore or of a plugin ({kind}: {error}); run again with --debug for the traceback",
        INTERNAL_ERROR,
    )


def _exit(message: str, code: int, debug: bool) -> typer.Exit:
    if debug:
        traceback.print_exc()
    from ffcore.errors import printable

    typer.echo(printable(message), err=True)
    return typer.Exit(code)


@contextmanager
def _nothing() -> Iterator[None]:
    yield


@contextmanager
def plugins_disabled() -> Iterator[None]:
    """Core's own parts only, in this process and in those that it starts."""
    from ffcore.plugin import DISABLE_VARIABLE

    before = os.environ.get(DISABLE_VARIABLE)
    os.environ[DISABLE_VARIABLE] = "all"
    try:
        yield
    finally:
        if before is None:
            del os.environ[DISABLE_VARIABLE]
        else:
            os.environ[DISABLE_VARIABLE] = before
