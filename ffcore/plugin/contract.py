"""What plugins are written against besides records and protocols: all of it importable from ``ffcore.plugin``.

A name is imported from where it stands when it is first used, so that nothing heavy is loaded before.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ffcore.errors import ErrorCollector as ErrorCollector
    from ffcore.errors import FFError as FFError
    from ffcore.errors import NoValidMappingError as NoValidMappingError
    from ffcore.errors import PluginError as PluginError
    from ffcore.errors import Position as Position
    from ffcore.errors import SpecError as SpecError
    from ffcore.errors import TimeLimitError as TimeLimitError
    from ffcore.errors import suggest as suggest
    from ffcore.explore.evaluated import evaluated_alone as evaluated_alone
    from ffcore.explore.limits import Limits as Limits
    from ffcore.explore.limits import time_text as time_text
    from ffcore.explore.options import not_offered as not_offered
    from ffcore.explore.search.spatial import SpatialMenu as SpatialMenu
    from ffcore.explore.search.spatial import SpatialTable as SpatialTable
    from ffcore.mapping.dialect import from_yaml as from_yaml
    from ffcore.mapping.nest import Holder as Holder
    from ffcore.mapping.nest import Nest as Nest
    from ffcore.mapping.nest import NestNode as NestNode
    from ffcore.mapping.nest import Spatial as Spatial
    from ffcore.mapping.nest import Temporal as Temporal
    from ffcore.mapping.paths import MappingError as MappingError
    from ffcore.model.constraints import broken_constraints as broken_constraints
    from ffcore.model.default import DefaultModel as DefaultModel
    from ffcore.model.law import Law as Law
    from ffcore.model.law import accesses as accesses
    from ffcore.model.law import compute_seconds as compute_seconds
    from ffcore.model.law import computes as computes
    from ffcore.model.law import copied as copied
    from ffcore.model.law import latency_forms as latency_forms
    from ffcore.model.law import leakage as leakage
    from ffcore.model.law import price_of as price_of
    from ffcore.model.law import rates as rates
    from ffcore.model.law import saves_traffic as saves_traffic
    from ffcore.model.mapping import evaluate_joint as evaluate_joint
    from ffcore.model.types import JointEvaluation as JointEvaluation
    from ffcore.model.types import LoopAbove as LoopAbove
    from ffcore.model.types import NestEvaluation as NestEvaluation
    from ffcore.objectives import Objectives as Objectives
    from ffcore.objectives import check_metrics as check_metrics
    from ffcore.phases import phase as phase
    from ffcore.pmappings.compatibility import Compatibility as Compatibility
    from ffcore.pmappings.compatibility import compatibilities as compatibilities
    from ffcore.pmappings.loops import decode_loop as decode_loop
    from ffcore.pmappings.loops import decode_loops as decode_loops
    from ffcore.pmappings.loops import encode_loops as encode_loops
    from ffcore.pmappings.loops import loop_sizes as loop_sizes
    from ffcore.pmappings.nests import nest_of_row as nest_of_row
    from ffcore.pmappings.numbers import divisors as divisors
    from ffcore.pmappings.rows import Rows as Rows
    from ffcore.pmappings.rows import SpatialChoice as SpatialChoice
    from ffcore.pmappings.select import select as select
    from ffcore.pmappings.set import EinsumPmappings as EinsumPmappings
    from ffcore.pmappings.set import JoinedMapping as JoinedMapping
    from ffcore.pmappings.set import PmappingSet as PmappingSet
    from ffcore.render import render_arch as render_arch
    from ffcore.render import render_mapping as render_mapping
    from ffcore.render import render_workload as render_workload
    from ffcore.render.arch import NodeView as NodeView
    from ffcore.render.arch import view_arch as view_arch
    from ffcore.render.convergence import Line as Line
    from ffcore.render.convergence import convergence as convergence
    from ffcore.render.facts import CostView as CostView
    from ffcore.render.mapping import BranchView as BranchView
    from ffcore.render.mapping import ComputeView as ComputeView
    from ffcore.render.mapping import HolderView as HolderView
    from ffcore.render.mapping import LoopView as LoopView
    from ffcore.render.mapping import MappingView as MappingView
    from ffcore.render.mapping import StepView as StepView
    from ffcore.render.mapping import TensorTile as TensorTile
    from ffcore.render.mapping import einsums_of as einsums_of
    from ffcore.render.mapping import title_of as title_of
    from ffcore.render.mapping import view_mapping as view_mapping
    from ffcore.render.palette import tensor_colours as tensor_colours
    from ffcore.render.rendering import MissingProgramError as MissingProgramError
    from ffcore.render.workload import EinsumView as EinsumView
    from ffcore.render.workload import TensorView as TensorView
    from ffcore.render.workload import WorkloadView as WorkloadView
    from ffcore.render.workload import view_workload as view_workload
    from ffcore.report.types import MappingDetail as MappingDetail
    from ffcore.report.types import Occupancy as Occupancy
    from ffcore.report.types import Point as Point
    from ffcore.report.types import ReportData as ReportData
    from ffcore.report.types import RooflinePoint as RooflinePoint
    from ffcore.results.mappings import MappingEntry as MappingEntry
    from ffcore.results.mappings import Mappings as Mappings
    from ffcore.spec.problem import Component as Component
    from ffcore.spec.problem import EinsumProblem as EinsumProblem
    from ffcore.spec.problem import MapperOptions as MapperOptions
    from ffcore.spec.problem import Metric as Metric
    from ffcore.spec.problem import Price as Price
    from ffcore.spec.problem import Problem as Problem
    from ffcore.spec.problem import Tensor as Tensor
    from ffcore.spec.problem import TileShape as TileShape
    from ffcore.spec.problem import rank_values as rank_values
    from ffcore.templates import Site as Site
    from ffcore.templates import SpatialLoop as SpatialLoop
    from ffcore.templates import Template as Template
    from ffcore.templates import einsum_templates as einsum_templates
    from ffcore.templates.types import TollSite as TollSite
    from ffcore.tolerances import FANOUT as FANOUT
    from ffcore.tolerances import FITS as FITS
    from ffcore.tolerances import NOT_WORSE as NOT_WORSE
    from ffcore.tolerances import ROUNDING as ROUNDING
    from ffcore.tolerances import SAME as SAME
    from ffcore.units import Dimension as Dimension
    from ffcore.units import format_quantity as format_quantity
    from ffcore.units import parse_quantity as parse_quantity

MODULES: dict[str, tuple[str, ...]] = {
    "ffcore.errors": (
        "ErrorCollector",
        "FFError",
        "NoValidMappingError",
        "PluginError",
        "Position",
        "SpecError",
        "TimeLimitError",
        "suggest",
    ),
    "ffcore.explore.evaluated": ("evaluated_alone",),
    "ffcore.explore.limits": (
        "Limits",
        "time_text",
    ),
    "ffcore.explore.options": ("not_offered",),
    "ffcore.explore.search.spatial": (
        "SpatialMenu",
        "SpatialTable",
    ),
    "ffcore.mapping.dialect": ("from_yaml",),
    "ffcore.mapping.nest": (
        "Holder",
        "Nest",
        "NestNode",
        "Spatial",
        "Temporal",
    ),
    "ffcore.mapping.paths": ("MappingError",),
    "ffcore.model.constraints": ("broken_constraints",),
    "ffcore.model.default": ("DefaultModel",),
    "ffcore.model.law": (
        "Law",
        "accesses",
        "compute_seconds",
        "computes",
        "copied",
        "latency_forms",
        "leakage",
        "price_of",
        "rates",
        "saves_traffic",
    ),
    "ffcore.model.mapping": ("evaluate_joint",),
    "ffcore.model.types": (
        "JointEvaluation",
        "LoopAbove",
        "NestEvaluation",
    ),
    "ffcore.objectives": (
        "Objectives",
        "check_metrics",
    ),
    "ffcore.phases": ("phase",),
    "ffcore.pmappings.compatibility": (
        "Compatibility",
        "compatibilities",
    ),
    "ffcore.pmappings.loops": (
        "decode_loop",
        "decode_loops",
        "encode_loops",
        "loop_sizes",
    ),
    "ffcore.pmappings.nests": ("nest_of_row",),
    "ffcore.pmappings.numbers": ("divisors",),
    "ffcore.pmappings.rows": (
        "Rows",
        "SpatialChoice",
    ),
    "ffcore.pmappings.select": ("select",),
    "ffcore.pmappings.set": (
        "EinsumPmappings",
        "JoinedMapping",
        "PmappingSet",
    ),
    "ffcore.render": (
        "render_arch",
        "render_mapping",
        "render_workload",
    ),
    "ffcore.render.arch": (
        "NodeView",
        "view_arch",
    ),
    "ffcore.render.convergence": (
        "Line",
        "convergence",
    ),
    "ffcore.render.facts": ("CostView",),
    "ffcore.render.mapping": (
        "BranchView",
        "ComputeView",
        "HolderView",
        "LoopView",
        "MappingView",
        "StepView",
        "TensorTile",
        "einsums_of",
        "title_of",
        "view_mapping",
    ),
    "ffcore.render.palette": ("tensor_colours",),
    "ffcore.render.rendering": ("MissingProgramError",),
    "ffcore.render.workload": (
        "EinsumView",
        "TensorView",
        "WorkloadView",
        "view_workload",
    ),
    "ffcore.report.types": (
        "MappingDetail",
        "Occupancy",
        "Point",
        "ReportData",
        "RooflinePoint",
    ),
    "ffcore.results.mappings": (
        "MappingEntry",
        "Mappings",
    ),
    "ffcore.spec.problem": (
        "Component",
        "EinsumProblem",
        "MapperOptions",
        "Metric",
        "Price",
        "Problem",
        "Tensor",
        "TileShape",
        "rank_values",
    ),
    "ffcore.templates": (
        "Site",
        "SpatialLoop",
        "Template",
        "einsum_templates",
    ),
    "ffcore.templates.types": ("TollSite",),
    "ffcore.tolerances": (
        "FANOUT",
        "FITS",
        "NOT_WORSE",
        "ROUNDING",
        "SAME",
    ),
    "ffcore.units": (
        "Dimension",
        "format_quantity",
        "parse_quantity",
    ),
}
"""Where each name stands."""

_WHERE = {name: module for module, names in MODULES.items() for name in names}


def find(name: str) -> Any:
    """What a name of the contract stands for. Raises AttributeError for others."""
    if name not in _WHERE:
        raise AttributeError(f"module 'ffcore.plugin' has no attribute {name!r}")
    return getattr(importlib.import_module(_WHERE[name]), name)
