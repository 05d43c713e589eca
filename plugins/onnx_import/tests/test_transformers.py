"""BERT as torch.onnx.export writes it: computed shapes, Gelu and LayerNorm node by node, heads by Reshape."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import ffcore as ff
from ffcore_onnx_import.convert import read_network

TOKENS = 128


@attrs.define
class Export:
    """A network being written, weights stripped."""

    nodes: list[onnx.NodeProto] = attrs.field(factory=list)
    weights: list[TensorProto] = attrs.field(factory=list)

    def weight(self, name: str, *shape: int) -> str:
        self.weights.append(TensorProto(name=name, data_type=TensorProto.FLOAT, dims=shape))
        return name

    def constant(self, name: str, value: Any, kind: Any = np.float32) -> str:
        if name not in {w.name for w in self.weights}:
            self.weights.append(numpy_helper.from_array(np.array(value, dtype=kind), name))
        return name

    def node(self, op: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        output = f"/{name}/{op}_output_0"
        self.nodes.append(helper.make_node(op, inputs, [output], name=f"/{name}/{op}", **attributes))
        return output

    def norm(self, x: str, name: str, width: int) -> str:
        mean = self.node("ReduceMean", [x], f"{name}/mean", axes=[-1])
        centred = self.node("Sub", [x, mean], name)
        square = self.node("Pow", [centred, self.constant("two", 2.0)], name)
        variance = self.node("ReduceMean", [square], f"{name}/variance", axes=[-1])
        root = self.node("Sqrt", [self.node("Add", [variance, self.constant("eps", 1e-12)], f"{name}/eps")], name)
        scaled = self.node("Mul", [self.node("Div", [centred, root], name), self.weight(f"{name}.weight", width)], name)
        return self.node("Add", [scaled, self.weight(f"{name}.bias", width)], name)

    def linear(self, x: str, name: str, inputs: int, outputs: int) -> str:
        product = self.node("MatMul", [x, self.weight(f"{name}.weight", inputs, outputs)], name)
        return self.node("Add", [self.weight(f"{name}.bias", outputs), product], name)

    def gelu(self, x: str, name: str) -> str:
        error = self.node("Erf", [self.node("Div", [x, self.constant("root", 1.4142)], name)], name)
        half = self.node("Mul", [x, self.node("Add", [error, self.constant("one", 1.0)], name)], f"{name}/product")
        return self.node("Mul", [half, self.constant("half", 0.5)], name)


def bert(path: Path, layers: int, d: int = 768, heads: int = 12, inner: int = 3072, words: int = 30522) -> Path:
    net = Export()
    ids = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, ["batch", "seq"])]
    shape = net.node("Shape", ["input_ids"], "shape")
    sizes = []
    for axis in (0, 1):
        size = net.node("Gather", [shape, net.constant(f"axis{axis}", axis, np.int64)], f"size{axis}", axis=0)
        sizes.append(net.node("Unsqueeze", [size, net.constant("first", [0], np.int64)], f"size{axis}"))
    width = [net.constant("heads", [heads], np.int64), net.constant("per_head", [d // heads], np.int64)]
    apart = net.node("Concat", [*sizes, *width], "apart", axis=0)
    joined = net.node("Concat", [*sizes, net.constant("width", [d], np.int64)], "joined", axis=0)
    words_of = net.node("Gather", [net.weight("words", words, d), "input_ids"], "embeddings/words")
    numbers = net.constant("numbers", np.arange(512)[None], np.int64)
    place = net.node("Slice", [numbers, "first", sizes[1], net.constant("second", [1], np.int64)], "embeddings/place")
    places = net.node("Gather", [net.weight("places", 512, d), place], "embeddings/places")
    x = net.norm(net.node("Add", [words_of, places], "embeddings"), "embeddings/norm", d)
    for layer in range(layers):
        at = f"layer.{layer}"
        views = []
        for which, order in (("query", [0, 2, 1, 3]), ("key", [0, 2, 3, 1]), ("value", [0, 2, 1, 3])):
            split = net.node("Reshape", [net.linear(x, f"{at}.{which}", d, d), apart], f"{at}.{which}")
            views.append(net.node("Transpose", [split], f"{at}.{which}", perm=order))
        scores = net.node("MatMul", views[:2], f"{at}.scores")
        scaled = net.node("Div", [scores, net.constant("scale", 8.0)], f"{at}.scores")
        mixed = net.node("MatMul", [net.node("Softmax", [scaled], f"{at}.softmax", axis=-1), views[2]], f"{at}.mixed")
        flat = net.node("Transpose", [mixed], f"{at}.mixed", perm=[0, 2, 1, 3])
        out = net.linear(net.node("Reshape", [flat, joined], f"{at}.mixed"), f"{at}.out", d, d)
        x = net.norm(net.node("Add", [out, x], f"{at}.residual1"), f"{at}.norm1", d)
        grown = net.gelu(net.linear(x, f"{at}.up", d, inner), f"{at}.gelu")
        down = net.linear(grown, f"{at}.down", inner, d)
        x = net.norm(net.node("Add", [down, x], f"{at}.residual2"), f"{at}.norm2", d)
    result = [helper.make_tensor_value_info(x, TensorProto.FLOAT, None)]
    graph = helper.make_graph(net.nodes, "bert", ids, result, net.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def test_layers_become_the_einsums_of_a_transformer(tmp_path: Path) -> None:
    found = read_network(bert(tmp_path / "bert.onnx", 1), {"batch": 1, "seq": TOKENS})
    lines = found.text.splitlines()
    einsums = [line.split('"')[1] for line in lines if "- einsum:" in line]
    assert einsums[6] == (
        "layer_0_scores[h, m, n128] = layer_0_query[m, N768: 64*h + k64] * layer_0_key[M: n128, N768: 64*h + k64]"
    )
    assert einsums[9].startswith("layer_0_out[m, n768] = layer_0_mixed[H: ko, m, N64: ki] * ")
    kinds = [line.strip("# ").split(":")[0].split(";")[0] for line in lines[7:] if line.startswith("  # ")]
    norm, linear = "LayerNormalization with Mul, Add", "MatMul with Add"
    attention = [linear, linear, linear, "MatMul with Div", "Softmax", "MatMul", linear, "Add", norm]
    assert kinds == ["Gather", "Add", norm, *attention, linear, "Gelu with Mul", linear, "Add", norm]
    assert len(einsums) == 17
    assert found.summary.copies == {}
    d, inner = 768, 3072
    assert found.summary.macs == TOKENS * (4 * d * d + 2 * d * inner) + 2 * TOKENS * TOKENS * d
    layer = 4 * (d * d + d) + 2 * d * inner + inner + d + 4 * d
    assert found.summary.parameters == 30522 * d + TOKENS * d + 2 * d + layer


@pytest.mark.slow
def test_twelve_layers_map(tmp_path: Path) -> None:
    """11.2 G multiply-accumulates at 128 tokens; with one fused loop at most, within a minute of two idle cores."""
    path = bert(tmp_path / "bert.onnx", 12)
    spec = ff.Spec.from_yaml("tpu_v4i_like", path, batch=1, seq=TOKENS, bits_per_value=8)
    spec.mapper.ffm.max_fused_loops = 1
    spec.mapper.ffm.metrics = ff.mapper.FFM.Metrics.ENERGY_DELAY_PRODUCT
    found = ff.map_workload_to_arch(spec)
    assert read_network(path, {"batch": 1, "seq": TOKENS}).summary.macs == pytest.approx(11.2e9, rel=0.01)
    assert len(found) == 1
    assert str(found.guarantee) == "optimal"
