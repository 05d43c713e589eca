"""A distribution for tests whose parts are the default ones, and that sends its process a signal at a chosen moment.

Parts by the phase that they stop: the architecture (spec), the joiner's module (imports), the explorer, the joiner, the
model (evaluate) and the renderer (output). Nothing happens where the environment does not name the phase in STOP_AT.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ffcore.plugin import manager

HOOKS = """
import os, signal
from ffcore.plugin import *

def stop(phase):
    if os.environ.get("STOP_AT") == phase:
        os.kill(os.getpid(), getattr(signal, os.environ.get("STOP_BY", "SIGINT")))

@hookimpl
def ffcore_arches():
    yield ArchRecord("stopping", "", "ffcore_stopper_parts:arch")

@hookimpl
def ffcore_explorers():
    yield ExplorerRecord("stopping", "", "ffcore_stopper_parts:Explorer", keeps_pmappings=True)

@hookimpl
def ffcore_joiners():
    yield JoinerRecord("stopping", "", "ffcore_stopper_joiner:Joiner")

@hookimpl
def ffcore_models():
    yield ModelRecord("stopping", "", "ffcore_stopper_parts:Model")

@hookimpl
def ffcore_renderers():
    yield RendererRecord("stopping", "", "ffcore_stopper_parts:Renderer", formats=("svg",), priority=-1)
"""
PARTS = """
import ffcore.spec.library
from ffcore.explore.default import DefaultExplorer
from ffcore.model.default import DefaultModel
from ffcore_stopper import stop

def arch():
    stop("spec")
    text = ffcore.spec.library.find_file("simple").read_text()
    return text.replace('{{GlobalBufferSize | default("inf")}}', "inf")

class Explorer(DefaultExplorer):
    def explore(self, problem, *, progress=None, **options):
        def watched(step):
            if progress is not None:
                progress(step)
            if getattr(step, "done", 0) == 2:
                stop("explore")
        return super().explore(problem, progress=watched, **options)

class Model(DefaultModel):
    def evaluate(self, problem, nests):
        stop("evaluate")
        return super().evaluate(problem, nests)

class Renderer:
    def render(self, kind, obj, format):
        stop("output")
        return "<svg/>"
"""
JOINER = """
from ffcore_ffm_joiner.join import FFMJoiner
from ffcore_stopper import stop

stop("imports")

class Joiner(FFMJoiner):
    def join(self, problem, pmappings, *, progress=None, **options):
        def watched(step):
            if progress is not None:
                progress(step)
            if getattr(step, "done", 0) == 2:
                stop("join")
        return super().join(problem, pmappings, progress=watched, **options)
"""
MODULES = {"ffcore_stopper": HOOKS, "ffcore_stopper_parts": PARTS, "ffcore_stopper_joiner": JOINER}


def write_stopper(folder: Path) -> Path:
    """Write the distribution; returns the folder to put on PYTHONPATH."""
    for name, text in MODULES.items():
        (folder / f"{name}.py").write_text(text)
    info = folder / "ffcore_stopper-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ffcore-stopper\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[ffcore]\nstopper = ffcore_stopper\n")
    return folder


@contextmanager
def installed_here(folder: Path, modules: Iterable[str] = MODULES) -> Iterator[None]:
    """A distribution of these modules is installed in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        _forget()
        try:
            yield
        finally:
            for name in modules:
                sys.modules.pop(name, None)
    _forget()


def _forget() -> None:
    importlib.invalidate_caches()
    manager.scan.cache_clear()
    manager._manager_without.cache_clear()
