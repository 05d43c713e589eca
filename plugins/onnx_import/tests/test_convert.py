"""The YAML that a person goes on with is the workload that the loader gives, and the command writes it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from onnx.helper import make_node as node
from typer.testing import CliRunner

import ffcore as ff
from ffcore_onnx_import.command import convert as command
from ffcore_onnx_import.convert import convert
from tests.cli.process import ff_here

Made = Callable[..., Path]


@pytest.fixture
def network(made: Made) -> Path:
    nodes = [
        node("Conv", ["image", "layer1.weight"], ["/layer1/layer1.0/conv/Conv_output_0"], pads=[1, 1, 1, 1]),
        node("Relu", ["/layer1/layer1.0/conv/Conv_output_0"], ["/layer1/layer1.0/relu/Relu_output_0"]),
        node("Conv", ["/layer1/layer1.0/relu/Relu_output_0", "layer2.weight"], ["scores"], strides=[2, 2]),
    ]
    return made(
        nodes, {"image": ("batch", 3, 8, 8)}, ["scores"], {"layer1.weight": (4, 3, 3, 3), "layer2.weight": (5, 4, 2, 2)}
    )


def test_what_is_written(network: Path, tmp_path: Path) -> None:
    out = tmp_path / "workload.yaml"
    summary = convert(network, out, {"batch": 2})
    assert out.read_text() == (
        "# net.onnx, opset 18, by ffcore-onnx-import.\n"
        "# 3 nodes: 3 Einsums; 3 Einsums in all.\n"
        "# 16.4 k multiply-accumulates, 188 parameters.\n"
        "#\n"
        "# Axes of size 1 are left out. A rank or rank variable whose letter has several sizes carries its size (c64)."
        "\n"
        "# Padding belongs to the input: its index reaches beyond the rank by as much.\n"
        "workload:\n"
        "  rank_sizes: {C3: 3, C4: 4, C5: 5, H4: 4, H8: 8, M4: 4, M5: 5, N: 2, R2: 2, R3: 3, S2: 2, S3: 3, W4: 4, "
        "W8: 8}\n"
        "\n"
        "  bits_per_value: {All: 32}\n"
        "\n"
        "  einsums:\n"
        "  # Conv: 13.8 k MACs\n"
        '  - einsum: "layer1_0_conv[n, C4: m4, H8: p8, W8: q8] = image[n, c3, H8: p8 + r3, W8: q8 + s3]'
        ' * layer1_weight[m4, c3, r3, s3]"\n'
        "    renames: {input: image, weight: layer1_weight, output: layer1_0_conv}\n"
        "    tensor_accesses:\n"
        "    - {name: image, padding: {H8: 2, W8: 2}}\n"
        "  # Relu\n"
        '  - einsum: "layer1_0_relu[n, c4, h8, w8] = layer1_0_conv[n, c4, h8, w8]"\n'
        "    renames: {input: layer1_0_conv, weight: Nothing, output: layer1_0_relu}\n"
        "  # Conv: 2.56 k MACs\n"
        '  - einsum: "scores[n, C5: m5, H4: p4, W4: q4] = layer1_0_relu[n, c4, H8: 2*p4 + r2, W8: 2*q4 + s2]'
        ' * layer2_weight[m5, c4, r2, s2]"\n'
        "    renames: {input: layer1_0_relu, weight: layer2_weight, output: scores}\n"
    )
    assert (summary.macs, summary.parameters) == (2 * 4 * 3 * 9 * 64 + 2 * 5 * 4 * 4 * 16, 188)
    loaded, written = (ff.Spec.from_yaml("tpu_v4i_like", f, batch=2).to_dict() for f in (network, out))
    assert loaded == written


def test_the_command(network: Path, tmp_path: Path) -> None:
    app = typer.Typer()
    app.command()(command)
    out = tmp_path / "w.yaml"
    run = CliRunner().invoke(app, [str(network), "-o", str(out), "--set", "batch=2", "--fold-elementwise"])
    assert run.exit_code == 0
    assert "3 nodes: 2 Einsums, 1 attached to their producer" in run.stdout
    assert "# Conv with Relu" in out.read_text()
    for more, message in ((["batch=2"], "is there already; --force replaces it"), (["batch", "--force"], "NAME=VALUE")):
        done = ff_here("convert", network, "-o", out, "--set", *more)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
        assert message in done.stderr
    assert ff_here("convert", network, "-o", out, "--set", "batch=2", "--force").returncode == 0
    with pytest.raises(OSError, match=r"such\.yaml"):
        convert(network, tmp_path / "no" / "such.yaml", {"batch": 1})
    assert sorted(p.name for p in tmp_path.iterdir()) == ["net.onnx", "w.yaml"]


def test_a_network_maps(network: Path) -> None:
    spec = ff.Spec.from_yaml("tpu_v4i_like", network, batch=1, bits_per_value=8)
    spec.mapper.ffm.max_fused_loops = 1
    spec.mapper.ffm.metrics = ff.mapper.FFM.Metrics.ENERGY_DELAY_PRODUCT
    found = ff.map_workload_to_arch(spec)
    assert len(found) == 1
    assert found.energy() > 0
    assert str(found.guarantee) == "optimal"
