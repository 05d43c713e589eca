"""What plugins are written against besides records and protocols: all of it importable from ``ffcore.plugin``.

A name is imported from where it stands when it is first used, so that nothing heavy is loaded before.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ffcore.api import evaluate_mapping as evaluate_mapping
    from ffcore.api import evaluate_trees as evaluate_trees
    from ffcore.api import map_workload_to_arch as map_workload_to_arch
    from ffcore.api import set_n_parallel_jobs as set_n_parallel_jobs
    from ffcore.cli import output as output
    from ffcore.cli import run_folder as run_folder
    from ffcore.cli.arguments import MAPPER_FIELDS as MAPPER_FIELDS
    from ffcore.cli.arguments import Arguments as Arguments
    from ffcore.cli.command import Request as Request
    from ffcore.cli.command import complete as complete
    from ffcore.cli.command import options as options
    from ffcore.cli.command import spec_command as spec_command
    from ffcore.cli.guard import guard as guard
    from ffcore.cli.inputs import set_mapper as set_mapper
    from ffcore.cli.interrupt import Interrupts as Interrupts
    from ffcore.cli.output import Report as Report
    from ffcore.cli.profile import profile_table as profile_table
    from ffcore.cli.progress import progress_display as progress_display
    from ffcore.cli.run_folder import EVALUATED as EVALUATED
    from ffcore.cli.run_folder import RUN as RUN
    from ffcore.cli.run_folder import SPEC as SPEC
    from ffcore.cli.run_folder import versions as versions
    from ffcore.cli.run_json import as_json as as_json
    from ffcore.cli.run_json import decoded as decoded
    from ffcore.cli.run_json import encoded as encoded
    from ffcore.cli.run_json import read_json as read_json
    from ffcore.cli.run_json import read_spec as read_spec
    from ffcore.cli.run_json import write_spec as write_spec
    from ffcore.cli.unfused import SWITCHED_OFF as SWITCHED_OFF
    from ffcore.cli.unfused import unfused as unfused
    from ffcore.cli.values import parse_assignments as parse_assignments
    from ffcore.cli.values import split_assignments as split_assignments
    from ffcore.diagnose import Cause as Cause
    from ffcore.diagnose import CauseKind as CauseKind
    from ffcore.diagnose import Need as Need
    from ffcore.diagnose import find_cause as find_cause
    from ffcore.diagnose import has_mapping as has_mapping
    from ffcore.diagnose.constraints import LIMITING_OPTIONS as LIMITING_OPTIONS
    from ffcore.diagnose.constraints import LIMITING_SETS as LIMITING_SETS
    from ffcore.diagnose.constraints import LIMITING_SHARES as LIMITING_SHARES
    from ffcore.diagnose.relax import evaluated_components as evaluated_components
    from ffcore.diagnose.relax import limited_memories as limited_memories
    from ffcore.diagnose.relax import with_sizes as with_sizes
    from ffcore.diagnose.sizes import Verdict as Verdict
    from ffcore.diagnose.sizes import halved as halved
    from ffcore.diagnose.sizes import occupancy_unit as occupancy_unit
    from ffcore.errors import ErrorCollector as ErrorCollector
    from ffcore.errors import ExecutorError as ExecutorError
    from ffcore.errors import FFError as FFError
    from ffcore.errors import MemoryLimitError as MemoryLimitError
    from ffcore.errors import NoValidMappingError as NoValidMappingError
    from ffcore.errors import PluginError as PluginError
    from ffcore.errors import Position as Position
    from ffcore.errors import SpecError as SpecError
    from ffcore.errors import SpecProblem as SpecProblem
    from ffcore.errors import TimeLimitError as TimeLimitError
    from ffcore.errors import suggest as suggest
    from ffcore.explore.default import CacheWarning as CacheWarning
    from ffcore.explore.evaluated import evaluated_alone as evaluated_alone
    from ffcore.explore.limits import Limits as Limits
    from ffcore.explore.limits import time_text as time_text
    from ffcore.explore.options import not_offered as not_offered
    from ffcore.explore.reuse.cache import DamagedCacheError as DamagedCacheError
    from ffcore.explore.reuse.cache import PmappingFiles as PmappingFiles
    from ffcore.explore.reuse.cache import Stored as Stored
    from ffcore.explore.reuse.content import einsum_content as einsum_content
    from ffcore.explore.reuse.content import free_latencies as free_latencies
    from ffcore.explore.reuse.content import free_sizes as free_sizes
    from ffcore.explore.reuse.content import needs as needs
    from ffcore.explore.reuse.content import resized as resized
    from ffcore.explore.reuse.equal import ClassMember as ClassMember
    from ffcore.explore.reuse.equal import EinsumClasses as EinsumClasses
    from ffcore.explore.reuse.equal import members_of as members_of
    from ffcore.explore.search.solve import explore_einsum as explore_einsum
    from ffcore.explore.search.spatial import SpatialMenu as SpatialMenu
    from ffcore.explore.search.spatial import SpatialTable as SpatialTable
    from ffcore.explore.search.spatial import smallest_usage as smallest_usage
    from ffcore.explore.shapes import TemplateFacts as TemplateFacts
    from ffcore.explore.shapes import row_shapes as row_shapes
    from ffcore.explore.shapes import shapes_of as shapes_of
    from ffcore.files import check_file as check_file
    from ffcore.files import csv_cell as csv_cell
    from ffcore.files import read_regular as read_regular
    from ffcore.files import real as real
    from ffcore.files import replacing as replacing
    from ffcore.files import write_all as write_all
    from ffcore.files import write_atomically as write_atomically
    from ffcore.files import write_file as write_file
    from ffcore.kernel import kernel as kernel
    from ffcore.locks import writing as writing
    from ffcore.mapper.choice import DEFAULT_EXPLORER as DEFAULT_EXPLORER
    from ffcore.mapper.choice import as_searched as as_searched
    from ffcore.mapper.choice import explorer_of as explorer_of
    from ffcore.mapper.ffm import join_as as join_as
    from ffcore.mapper.ffm import join_pmappings as join_pmappings
    from ffcore.mapper.ffm import make_pmappings as make_pmappings
    from ffcore.mapper.job import Job as Job
    from ffcore.mapper.job import problem_of as problem_of
    from ffcore.mapper.nothing import check_explored as check_explored
    from ffcore.mapper.nothing import is_exact as is_exact
    from ffcore.mapper.nothing import nothing_joined as nothing_joined
    from ffcore.mapper.workers import DEFAULT_JOBS as DEFAULT_JOBS
    from ffcore.mapper.workers import workers as workers
    from ffcore.mapping.dialect import from_yaml as from_yaml
    from ffcore.mapping.dialect import tree_from_node as tree_from_node
    from ffcore.mapping.nest import Holder as Holder
    from ffcore.mapping.nest import Nest as Nest
    from ffcore.mapping.nest import NestNode as NestNode
    from ffcore.mapping.nest import Spatial as Spatial
    from ffcore.mapping.nest import Temporal as Temporal
    from ffcore.mapping.paths import MappingError as MappingError
    from ffcore.mapping.paths import path_components as path_components
    from ffcore.mapping.tree import MappingTree as MappingTree
    from ffcore.model.constraints import broken_constraints as broken_constraints
    from ffcore.model.default import DefaultModel as DefaultModel
    from ffcore.model.evaluate import evaluate_nest as evaluate_nest
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
    from ffcore.model.law import seconds_in as seconds_in
    from ffcore.model.mapping import evaluate_joint as evaluate_joint
    from ffcore.model.mapping import kept_while_running as kept_while_running
    from ffcore.model.network import HOP as HOP
    from ffcore.model.network import LoopPlace as LoopPlace
    from ffcore.model.network import factor as factor
    from ffcore.model.network import furthest as furthest
    from ffcore.model.network import hops as hops
    from ffcore.model.network import laid_out as laid_out
    from ffcore.model.types import JointEvaluation as JointEvaluation
    from ffcore.model.types import LoopAbove as LoopAbove
    from ffcore.model.types import NestEvaluation as NestEvaluation
    from ffcore.model.types import Peak as Peak
    from ffcore.model.types import Reservation as Reservation
    from ffcore.numbers import divisors as divisors
    from ffcore.objectives import COMPARED as COMPARED
    from ffcore.objectives import Objectives as Objectives
    from ffcore.objectives import check_metrics as check_metrics
    from ffcore.phases import phase as phase
    from ffcore.phases import recording as recording
    from ffcore.plugin.executors import as_completed as as_completed
    from ffcore.plugin.executors import workers_of as workers_of
    from ffcore.plugin.hooks import HOOK_OF_KIND as HOOK_OF_KIND
    from ffcore.plugin.known import DEFAULT_JOINER as DEFAULT_JOINER
    from ffcore.plugin.processes import Worker as Worker
    from ffcore.plugin.processes import may_fork as may_fork
    from ffcore.plugin.processes import start as start
    from ffcore.pmappings.arrays import Bools as Bools
    from ffcore.pmappings.arrays import Floats as Floats
    from ffcore.pmappings.arrays import Ints as Ints
    from ffcore.pmappings.compatibility import Compatibility as Compatibility
    from ffcore.pmappings.compatibility import compatibilities as compatibilities
    from ffcore.pmappings.guarantee import Guarantee as Guarantee
    from ffcore.pmappings.guarantee import guarantee_of as guarantee_of
    from ffcore.pmappings.loops import decode_loop as decode_loop
    from ffcore.pmappings.loops import decode_loops as decode_loops
    from ffcore.pmappings.loops import encode_loops as encode_loops
    from ffcore.pmappings.loops import loop_sizes as loop_sizes
    from ffcore.pmappings.nests import nest_of_row as nest_of_row
    from ffcore.pmappings.pareto import pareto_mask as pareto_mask
    from ffcore.pmappings.rows import Rows as Rows
    from ffcore.pmappings.rows import RowShape as RowShape
    from ffcore.pmappings.rows import SpatialChoice as SpatialChoice
    from ffcore.pmappings.rows import TemplateChoice as TemplateChoice
    from ffcore.pmappings.rows import reshaped as reshaped
    from ffcore.pmappings.rows import reshaped_values as reshaped_values
    from ffcore.pmappings.select import select as select
    from ffcore.pmappings.set import EinsumPmappings as EinsumPmappings
    from ffcore.pmappings.set import JoinedMapping as JoinedMapping
    from ffcore.pmappings.set import PmappingSet as PmappingSet
    from ffcore.pmappings.set import check_joinable as check_joinable
    from ffcore.render import render_arch as render_arch
    from ffcore.render import render_mapping as render_mapping
    from ffcore.render import render_workload as render_workload
    from ffcore.render.arch import NodeView as NodeView
    from ffcore.render.arch import view_arch as view_arch
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
    from ffcore.render.svg import COLOURS as COLOURS
    from ffcore.render.svg import document as document
    from ffcore.render.svg import even_ticks as even_ticks
    from ffcore.render.svg import log_ticks as log_ticks
    from ffcore.render.svg import stroke as stroke
    from ffcore.render.svg import text as text
    from ffcore.render.svg import turned as turned
    from ffcore.render.workload import EinsumView as EinsumView
    from ffcore.render.workload import TensorView as TensorView
    from ffcore.render.workload import WorkloadView as WorkloadView
    from ffcore.render.workload import view_workload as view_workload
    from ffcore.render.xy import Line as Line
    from ffcore.render.xy import xy_plot as xy_plot
    from ffcore.results import Pmappings as Pmappings
    from ffcore.results import columns as columns
    from ffcore.results.earlier import NO_FUSION as NO_FUSION
    from ffcore.results.earlier import REPORT as REPORT
    from ffcore.results.earlier import RESULTS as RESULTS
    from ffcore.results.earlier import mapping_files as mapping_files
    from ffcore.results.front import MAX_DETAILS as MAX_DETAILS
    from ffcore.results.front import Point as Point
    from ffcore.results.front import best_of as best_of
    from ffcore.results.front import chosen as chosen
    from ffcore.results.front import points_of as points_of
    from ffcore.results.mappings import MappingEntry as MappingEntry
    from ffcore.results.mappings import Mappings as Mappings
    from ffcore.results.mappings import computes_of as computes_of
    from ffcore.results.subject import ReportSubject as ReportSubject
    from ffcore.results.table import ResultTable as ResultTable
    from ffcore.spec import Spec as Spec
    from ffcore.spec import architecture as architecture
    from ffcore.spec import config as config
    from ffcore.spec import mapper as mapper
    from ffcore.spec import renames as renames
    from ffcore.spec import workload as workload
    from ffcore.spec.architecture import Compute as Compute
    from ffcore.spec.architecture import Container as Container
    from ffcore.spec.architecture import LoopBound as LoopBound
    from ffcore.spec.architecture import Memory as Memory
    from ffcore.spec.architecture import TensorHolder as TensorHolder
    from ffcore.spec.architecture import TensorRules as TensorRules
    from ffcore.spec.architecture import Toll as Toll
    from ffcore.spec.architecture import walk as walk
    from ffcore.spec.expressions import evaluate as evaluate
    from ffcore.spec.expressions import names_in as names_in
    from ffcore.spec.library import find_file as find_file
    from ffcore.spec.library import read_sources as read_sources
    from ffcore.spec.paths import is_default as is_default
    from ffcore.spec.paths import place_of_path as place_of_path
    from ffcore.spec.problem import INFINITY as INFINITY
    from ffcore.spec.problem import MAX_HOPS as MAX_HOPS
    from ffcore.spec.problem import Action as Action
    from ffcore.spec.problem import Component as Component
    from ffcore.spec.problem import ComponentKind as ComponentKind
    from ffcore.spec.problem import EinsumProblem as EinsumProblem
    from ffcore.spec.problem import Held as Held
    from ffcore.spec.problem import Holding as Holding
    from ffcore.spec.problem import Leak as Leak
    from ffcore.spec.problem import MapperOptions as MapperOptions
    from ffcore.spec.problem import Metric as Metric
    from ffcore.spec.problem import PathProblem as PathProblem
    from ffcore.spec.problem import Price as Price
    from ffcore.spec.problem import Problem as Problem
    from ffcore.spec.problem import RankExpression as RankExpression
    from ffcore.spec.problem import Relevance as Relevance
    from ffcore.spec.problem import SpatialDimension as SpatialDimension
    from ffcore.spec.problem import Tensor as Tensor
    from ffcore.spec.problem import TileShape as TileShape
    from ffcore.spec.problem import rank_values as rank_values
    from ffcore.spec.quantities import in_any_unit as in_any_unit
    from ffcore.spec.resolve.layout import names_in_nodes as names_in_nodes
    from ffcore.spec.source import YamlMap as YamlMap
    from ffcore.spec.source import YamlScalar as YamlScalar
    from ffcore.spec.source.files import SourceProblem as SourceProblem
    from ffcore.spec.source.files import display as display
    from ffcore.spec.source.files import read_text as read_text
    from ffcore.system import cores as cores
    from ffcore.templates import HolderChoice as HolderChoice
    from ffcore.templates import Site as Site
    from ffcore.templates import SpatialLoop as SpatialLoop
    from ffcore.templates import Template as Template
    from ffcore.templates import TemplateStock as TemplateStock
    from ffcore.templates import einsum_choices as einsum_choices
    from ffcore.templates import einsum_templates as einsum_templates
    from ffcore.templates.types import TollSite as TollSite
    from ffcore.threads import Threads as Threads
    from ffcore.tolerances import FANOUT as FANOUT
    from ffcore.tolerances import FITS as FITS
    from ffcore.tolerances import NOT_WORSE as NOT_WORSE
    from ffcore.tolerances import ROUNDING as ROUNDING
    from ffcore.tolerances import SAME as SAME
    from ffcore.units import UNITS as UNITS
    from ffcore.units import Dimension as Dimension
    from ffcore.units import bits_text as bits_text
    from ffcore.units import format_quantity as format_quantity
    from ffcore.units import parse_quantity as parse_quantity
    from ffcore.units import parse_time as parse_time


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


MODULES: dict[str, tuple[str, ...]] = {
    "ffcore.api": _names("evaluate_mapping evaluate_trees map_workload_to_arch set_n_parallel_jobs"),
    "ffcore.cli": _names("output run_folder"),
    "ffcore.cli.arguments": _names("Arguments MAPPER_FIELDS"),
    "ffcore.cli.command": _names("Request complete options spec_command"),
    "ffcore.cli.guard": _names("guard"),
    "ffcore.cli.inputs": _names("set_mapper"),
    "ffcore.cli.interrupt": _names("Interrupts"),
    "ffcore.cli.output": _names("Report"),
    "ffcore.cli.profile": _names("profile_table"),
    "ffcore.cli.progress": _names("progress_display"),
    "ffcore.cli.run_folder": _names("EVALUATED RUN SPEC versions"),
    "ffcore.cli.run_json": _names("as_json decoded encoded read_json read_spec write_spec"),
    "ffcore.cli.unfused": _names("SWITCHED_OFF unfused"),
    "ffcore.cli.values": _names("parse_assignments split_assignments"),
    "ffcore.diagnose": _names("Cause CauseKind Need find_cause has_mapping"),
    "ffcore.diagnose.constraints": _names("LIMITING_OPTIONS LIMITING_SETS LIMITING_SHARES"),
    "ffcore.diagnose.relax": _names("evaluated_components limited_memories with_sizes"),
    "ffcore.diagnose.sizes": _names("Verdict halved occupancy_unit"),
    "ffcore.errors": _names(
        "ErrorCollector ExecutorError FFError MemoryLimitError NoValidMappingError PluginError Position SpecError "
        "SpecProblem TimeLimitError suggest"
    ),
    "ffcore.explore.default": _names("CacheWarning"),
    "ffcore.explore.evaluated": _names("evaluated_alone"),
    "ffcore.explore.limits": _names("Limits time_text"),
    "ffcore.explore.options": _names("not_offered"),
    "ffcore.explore.reuse.cache": _names("DamagedCacheError PmappingFiles Stored"),
    "ffcore.explore.reuse.content": _names("einsum_content free_latencies free_sizes needs resized"),
    "ffcore.explore.reuse.equal": _names("ClassMember EinsumClasses members_of"),
    "ffcore.explore.search.solve": _names("explore_einsum"),
    "ffcore.explore.search.spatial": _names("SpatialMenu SpatialTable smallest_usage"),
    "ffcore.explore.shapes": _names("TemplateFacts row_shapes shapes_of"),
    "ffcore.kernel": _names("kernel"),
    "ffcore.locks": _names("writing"),
    "ffcore.files": _names("check_file csv_cell read_regular real replacing write_all write_atomically write_file"),
    "ffcore.mapper.choice": _names("DEFAULT_EXPLORER as_searched explorer_of"),
    "ffcore.mapper.ffm": _names("join_as join_pmappings make_pmappings"),
    "ffcore.mapper.job": _names("Job problem_of"),
    "ffcore.mapper.nothing": _names("check_explored is_exact nothing_joined"),
    "ffcore.mapper.workers": _names("DEFAULT_JOBS workers"),
    "ffcore.mapping.dialect": _names("from_yaml tree_from_node"),
    "ffcore.mapping.nest": _names("Holder Nest NestNode Spatial Temporal"),
    "ffcore.mapping.paths": _names("MappingError path_components"),
    "ffcore.mapping.tree": _names("MappingTree"),
    "ffcore.model.constraints": _names("broken_constraints"),
    "ffcore.model.default": _names("DefaultModel"),
    "ffcore.model.evaluate": _names("evaluate_nest"),
    "ffcore.model.law": _names(
        "Law accesses compute_seconds computes copied latency_forms leakage price_of rates saves_traffic seconds_in"
    ),
    "ffcore.model.mapping": _names("evaluate_joint kept_while_running"),
    "ffcore.model.network": _names("HOP LoopPlace factor furthest hops laid_out"),
    "ffcore.model.types": _names("JointEvaluation LoopAbove NestEvaluation Peak Reservation"),
    "ffcore.numbers": _names("divisors"),
    "ffcore.objectives": _names("COMPARED Objectives check_metrics"),
    "ffcore.phases": _names("phase recording"),
    "ffcore.plugin.executors": _names("as_completed workers_of"),
    "ffcore.plugin.hooks": _names("HOOK_OF_KIND"),
    "ffcore.plugin.known": _names("DEFAULT_JOINER"),
    "ffcore.plugin.processes": _names("Worker may_fork start"),
    "ffcore.pmappings.arrays": _names("Bools Floats Ints"),
    "ffcore.pmappings.compatibility": _names("Compatibility compatibilities"),
    "ffcore.pmappings.guarantee": _names("Guarantee guarantee_of"),
    "ffcore.pmappings.loops": _names("decode_loop decode_loops encode_loops loop_sizes"),
    "ffcore.pmappings.nests": _names("nest_of_row"),
    "ffcore.pmappings.pareto": _names("pareto_mask"),
    "ffcore.pmappings.rows": _names("RowShape Rows SpatialChoice TemplateChoice reshaped reshaped_values"),
    "ffcore.pmappings.select": _names("select"),
    "ffcore.pmappings.set": _names("EinsumPmappings JoinedMapping PmappingSet check_joinable"),
    "ffcore.render": _names("render_arch render_mapping render_workload"),
    "ffcore.render.arch": _names("NodeView view_arch"),
    "ffcore.render.facts": _names("CostView"),
    "ffcore.render.svg": _names("COLOURS document even_ticks log_ticks stroke text turned"),
    "ffcore.render.mapping": _names(
        "BranchView ComputeView HolderView LoopView MappingView StepView TensorTile einsums_of title_of view_mapping"
    ),
    "ffcore.render.palette": _names("tensor_colours"),
    "ffcore.render.rendering": _names("MissingProgramError"),
    "ffcore.render.workload": _names("EinsumView TensorView WorkloadView view_workload"),
    "ffcore.render.xy": _names("Line xy_plot"),
    "ffcore.results": _names("Pmappings columns"),
    "ffcore.results.earlier": _names("NO_FUSION REPORT RESULTS mapping_files"),
    "ffcore.results.front": _names("MAX_DETAILS Point best_of chosen points_of"),
    "ffcore.results.mappings": _names("MappingEntry Mappings computes_of"),
    "ffcore.results.subject": _names("ReportSubject"),
    "ffcore.results.table": _names("ResultTable"),
    "ffcore.spec": _names("Spec architecture config mapper renames workload"),
    "ffcore.spec.architecture": _names("Compute Container LoopBound Memory TensorHolder TensorRules Toll walk"),
    "ffcore.spec.expressions": _names("evaluate names_in"),
    "ffcore.spec.library": _names("find_file read_sources"),
    "ffcore.spec.paths": _names("is_default place_of_path"),
    "ffcore.spec.resolve.layout": _names("names_in_nodes"),
    "ffcore.spec.problem": _names(
        "Action Component ComponentKind EinsumProblem Held Holding INFINITY Leak MAX_HOPS MapperOptions Metric "
        "PathProblem Price Problem RankExpression Relevance SpatialDimension Tensor TileShape rank_values"
    ),
    "ffcore.spec.quantities": _names("in_any_unit"),
    "ffcore.spec.source": _names("YamlMap YamlScalar"),
    "ffcore.spec.source.files": _names("SourceProblem display read_text"),
    "ffcore.system": _names("cores"),
    "ffcore.templates": _names("HolderChoice Site SpatialLoop Template TemplateStock einsum_choices einsum_templates"),
    "ffcore.templates.types": _names("TollSite"),
    "ffcore.threads": _names("Threads"),
    "ffcore.tolerances": _names("FANOUT FITS NOT_WORSE ROUNDING SAME"),
    "ffcore.units": _names("Dimension UNITS bits_text format_quantity parse_quantity parse_time"),
}
"""Where each name stands."""

_WHERE = {name: module for module, names in MODULES.items() for name in names}


def find(name: str) -> Any:
    """What a name of the contract stands for. Raises AttributeError for others."""
    if name not in _WHERE:
        raise AttributeError(f"module 'ffcore.plugin' has no attribute {name!r}")
    module = importlib.import_module(_WHERE[name])
    return getattr(module, name) if hasattr(module, name) else importlib.import_module(f"{module.__name__}.{name}")
