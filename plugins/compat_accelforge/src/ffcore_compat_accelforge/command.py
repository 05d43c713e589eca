"""``ff accelforge SCRIPT``: a script as it is, whose ``import accelforge`` gets this distribution's names."""

from __future__ import annotations

import runpy
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from ffcore.plugin import FFError, SpecError, guard, options


def run(
    script: Annotated[Path, typer.Argument(metavar="SCRIPT", help="A Python script.", show_default=False)],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[ARGS]...", help="Of the script.", show_default=False)
    ] = None,
    debug: options.Debug = False,
) -> None:
    """Run a script written for AccelForge, with ffcore behind the names that it imports.

    Options of the script's own stand behind `--`. Exit code: that of the script; 1 where it raises.
    """
    with guard(debug=debug):
        if not script.is_file():
            raise SpecError.one(f"there is no script {str(script)!r}")
        with called_accelforge():
            before, sys.argv = sys.argv, [str(script), *(arguments or [])]
            sys.path.insert(0, str(script.resolve().parent))
            try:
                runpy.run_path(str(script), run_name="__main__")
            except FFError:
                raise
            except Exception:  # the script's own
                traceback.print_exc()
                raise typer.Exit(1) from None
            finally:
                sys.argv = before
                sys.path.remove(str(script.resolve().parent))


@contextmanager
def called_accelforge() -> Iterator[None]:
    """While it is entered, ``import accelforge`` and its best known modules give this distribution's names."""
    modules = _modules()
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module


def _modules() -> Mapping[str, Any]:
    import ffcore_compat_accelforge as layer
    from ffcore.plugin import architecture, config, renames
    from ffcore_compat_accelforge import mapper, spec

    found: dict[str, Any] = {"accelforge": layer, "accelforge.mapper": mapper, "accelforge.mapper.FFM": mapper.FFM}
    parts = {"arch": architecture, "spec": spec, "workload": spec, "renames": renames, "config": config}
    for within in ("accelforge", "accelforge.frontend"):
        found |= {f"{within}.{name}": module for name, module in parts.items()}
    found |= {"accelforge.frontend": layer, "accelforge.frontend.mapper": layer}
    found["accelforge.frontend.mapper.metrics"] = layer
    return found
