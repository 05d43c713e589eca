"""Multiply-accumulates and parameters of the networks that the onnx package ships, against published figures, to 1 %.

Sources: ResNet-50: He et al. 2016 (25.56 M parameters and 4.09 G in torchvision's table, at 224 x 224); AlexNet:
Krizhevsky et al. 2012, with its two groups (61 M, 0.66 G); VGG-19: Simonyan and Zisserman 2015 (143.7 M, 19.6 G);
DenseNet-121: Huang et al. 2017 (7.98 M, 2.83 G in torchvision's table); SqueezeNet 1.1: Iandola et al. 2016 (1.24 M,
0.35 G). For Inception the papers say no more than 1.5 G (v1); the figures here are regressions, not published ones.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest

import ffcore as ff
from ffcore_onnx_import.convert import read_network
from ffcore_onnx_import.summary import Summary
from tests.examples import first_few

LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"

PUBLISHED = {
    "resnet50": (4.09e9, 25.56e6),
    "bvlc_alexnet": (0.655e9, 60.97e6),
    "vgg19": (19.63e9, 143.67e6),
    "densenet121": (2.83e9, 7.98e6),
    "squeezenet": (0.349e9, 1.235e6),
    "inception_v1": (1.43e9, 7.0e6),
    "inception_v2": (2.02e9, 11.2e6),
}
OTHERS = ("shufflenet", "zfnet512")


def summary_of(name: str, **parameters: object) -> Summary:
    path = LIGHT / f"light_{name}.onnx"
    if not path.exists():
        pytest.skip(f"this onnx does not ship {path.name}")
    return read_network(path, parameters).summary


@pytest.mark.parametrize("name", PUBLISHED)
def test_totals_equal_the_published_ones(name: str) -> None:
    macs, parameters = PUBLISHED[name]
    found = summary_of(name)
    assert found.macs == pytest.approx(macs, rel=0.01)
    assert found.parameters == pytest.approx(parameters, rel=0.01)


@pytest.mark.parametrize("name", [*PUBLISHED, *OTHERS])
def test_every_node_has_a_fate_and_elementwise_nodes_change_no_total(name: str) -> None:
    path = LIGHT / f"light_{name}.onnx"
    found, folded = summary_of(name), summary_of(name, fold_elementwise=True)
    nodes = len(onnx.load(path, load_external_data=False).graph.node)
    assert found.nodes == folded.nodes == nodes
    assert found.fate["Einsums"] == found.einsums
    assert (found.macs, found.parameters) == (folded.macs, folded.parameters)
    assert folded.einsums < found.einsums
    assert not found.unknown
    assert not found.copies


@pytest.mark.parametrize("name", first_few(["resnet50", "squeezenet", "shufflenet", "densenet121"], 2))
def test_whole_networks_are_valid_workloads(name: str) -> None:
    """And what the workload says, evaluated, is as many multiply-accumulates."""
    path = LIGHT / f"light_{name}.onnx"
    if not path.exists():
        pytest.skip(f"this onnx does not ship {path.name}")
    spec = ff.Spec.from_yaml("tpu_v4i_like", path, fold_elementwise=True)
    problem = spec.problem_without_costs()
    found = summary_of(name, fold_elementwise=True)
    assert len(problem.einsums) == found.einsums
    with_weights = [e for e in problem.einsums if len(e.tensors) == 3]
    assert sum(_points(e.bounds) for e in with_weights) >= found.macs


def _points(bounds: dict[str, int]) -> int:
    result = 1
    for bound in bounds.values():
        result *= bound
    return result
