"""The one place where core names plugins: what to install when a name is known and the part is not there."""

from __future__ import annotations

DISTRIBUTION_OF: dict[tuple[str, str], str] = {
    ("joiner", "ffm"): "ffcore-ffm-joiner",
    **{("joiner", name): "ffcore-simanneal" for name in ("simanneal", "simanneal2", "genetic", "random")},
    ("joiner", "exhaustive"): "ffcore-exhaustive",
    ("explorer", "exhaustive"): "ffcore-exhaustive",
    ("explorer", "templates"): "ffcore-simanneal",
    ("arch", "tpu_v4i_like"): "ffcore-tpu-arch",
    ("executor", "dask"): "ffcore-dask-executor",
    ("renderer", "graphviz"): "ffcore-graphviz-render",
    ("renderer", "html"): "ffcore-html-report",
    **{("cost_model", name): "ffcore-component-costs" for name in ("tables", "hwcomponents")},
    ("spec_loader", "onnx"): "ffcore-onnx-import",
    ("spec_loader", "timeloop"): "ffcore-timeloop-import",
    ("command", "accelforge"): "ffcore-compat-accelforge",
    ("command", "compare"): "ffcore-simanneal",
    ("command", "explain"): "ffcore-explain",
    ("command", "new-plugin"): "ffcore-scaffold",
    ("command", "report"): "ffcore-html-report",
    ("command", "sweep"): "ffcore-sweep",
    ("command", "bound"): "ffcore-sweep",
    ("command", "search"): "ffcore-sweep",
}
"""(kind, name) of parts that we sell separately -> the distribution that brings them."""

DEFAULT_JOINER = "ffm"
"""What joins where a spec names nothing else."""

BASELINES = ("simanneal", "simanneal2", "genetic", "random")
"""Joiners that tell how their search went, as ``ffcore.mapper.NAME``."""
