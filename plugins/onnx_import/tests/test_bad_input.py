"""Whatever is wrong with a file is said in one sentence that names the file, and the node where there is one."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper
from onnx.helper import make_node as node

import ffcore as ff
from ffcore_onnx_import.convert import convert, read_network

Made = Callable[..., Path]


def wrong(path: Path, **parameters: object) -> str:
    with pytest.raises(ff.SpecError) as caught:
        read_network(path, parameters)
    (problem,) = caught.value.problems
    text = str(problem)
    assert "\n" not in text
    assert text.startswith(f"{path}:1: ")
    return text.removeprefix(f"{path}:1: ")


@pytest.mark.parametrize("data", [b"", b"not protobuf at all", b"\x08\x07", b"\xff" * 1000, b"arch:\n  nodes: []\n"])
def test_what_is_no_onnx_file(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "x.onnx"
    path.write_bytes(data)
    assert "ONNX file" in wrong(path)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    assert "No such file" in wrong(tmp_path / "none.onnx")
    (tmp_path / "folder.onnx").mkdir()
    assert "no file" in wrong(tmp_path / "folder.onnx")


def test_an_opset_too_new(made: Made) -> None:
    path = made([node("Relu", ["x"], ["y"])], {"x": (2, 3)}, ["y"], opset=9999)
    text = wrong(path)
    assert "opset 9999 is newer than" in text
    assert "install a newer onnx" in text


def test_symbolic_dimensions_need_sizes(made: Made) -> None:
    path = made([node("Relu", ["x"], ["y"])], {"x": ("batch", "seq-len", 3)}, ["y"])
    assert "--set batch=1 --set seq_len=1" in wrong(path)
    assert "batch (axis 0 of input 'x')" in wrong(path)
    for value in (0, "big", 2**60, True):
        with pytest.raises(ff.SpecError, match="parameter 'batch' must be a whole number from 1"):
            read_network(path, {"batch": value, "seq_len": 2})
    assert read_network(path, {"batch": "4", "seq_len": 2}).summary.einsums == 1


def test_a_parameter_that_nobody_asks_for_is_warned_of(made: Made) -> None:
    path = made([node("Relu", ["x"], ["y"])], {"x": ("batch", 3)}, ["y"])
    spec = ff.Spec.from_yaml("tpu_v4i_like", path, batch=2, bach=3)
    assert spec._unused_parameters == {"bach": "batch"}


def test_values_of_options(made: Made) -> None:
    path = made([node("Relu", ["x"], ["y"])], {"x": (2, 3)}, ["y"])
    for name, value in (("onnx_unknown", "drop"), ("fold_elementwise", "perhaps"), ("bits_per_value", -1)):
        with pytest.raises(ff.SpecError, match=name):
            read_network(path, {name: value})


def test_cycles_and_strangers(made: Made) -> None:
    nodes = [node("Add", ["x", "b"], ["a"], name="first"), node("Relu", ["a"], ["b"])]
    assert "node 'first' (Add) reads 'b' before it is written: the graph is cyclic or unsorted" in wrong(
        made(nodes, {"x": (2, 3)}, ["b"])
    )
    assert "which nothing writes; did you mean 'image'?" in wrong(
        made([node("Relu", ["imag"], ["y"])], {"image": (2,)}, ["y"])
    )
    twice = [node("Relu", ["x"], ["y"]), node("Sqrt", ["x"], ["y"])]
    assert "something else writes too" in wrong(made(twice, {"x": (2, 3)}, ["y"]))
    assert "written by no node" in wrong(made([node("Relu", ["x"], ["y"])], {"x": (2, 3)}, ["z"]))


def test_functions_that_call_themselves(tmp_path: Path) -> None:
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("f", 1)]
    loop = helper.make_function("f", "Loop2", ["x"], ["y"], [node("Loop2", ["x"], ["y"], domain="f")], imports)
    doubling = [
        helper.make_function(
            "f", f"D{i}", ["x"], ["y"],
            [node(f"D{i + 1}", ["x"], ["a"], domain="f"), node(f"D{i + 1}", ["a"], ["y"], domain="f")], imports,
        )
        for i in range(40)
    ]  # fmt: skip
    for functions, first, message in (([loop], "Loop2", "calls itself"), (doubling, "D0", "more than")):
        graph = helper.make_graph(
            [node(first, ["x"], ["y"], domain="f")], "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])],
        )  # fmt: skip
        path = tmp_path / "f.onnx"
        model = helper.make_model(graph, functions=functions, opset_imports=imports, ir_version=8)
        path.write_bytes(model.SerializeToString())
        assert message in wrong(path)


def test_local_functions_are_written_out(tmp_path: Path) -> None:
    imports = [helper.make_opsetid("", 18), helper.make_opsetid("f", 1)]
    twice = helper.make_function("f", "Twice", ["x"], ["y"], [node("Add", ["x", "x"], ["y"])], imports)
    graph = helper.make_graph(
        [node("Twice", ["x"], ["y"], domain="f")], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [2, 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [2, 3])],
    )  # fmt: skip
    path = tmp_path / "f.onnx"
    path.write_bytes(
        helper.make_model(graph, functions=[twice], opset_imports=imports, ir_version=8).SerializeToString()
    )
    assert read_network(path).summary.einsums == 1


@pytest.mark.parametrize("location", ["/etc/passwd", "../secret.bin", "a/../../b.bin", "C:\\x.bin", "..\\x.bin"])
def test_external_data_outside_the_folder(made: Made, location: str) -> None:
    path = made([node("MatMul", ["x", "w"], ["y"])], {"x": (2, 3)}, ["y"], {"w": (3, 4)})
    outside(path, location)
    assert f"has its data in {location!r}, outside of the file's own folder" in wrong(path)


def outside(path: Path, location: str) -> None:
    model = onnx.load(path)
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    entry = weight.external_data.add()
    entry.key, entry.value = "location", location
    path.write_bytes(model.SerializeToString())


def test_weights_elsewhere_or_stripped_are_not_needed(made: Made) -> None:
    path = made([node("MatMul", ["x", "w"], ["y"])], {"x": (2, 3)}, ["y"], {"w": (3, 4)})
    outside(path, "weights.bin")  # a file that is not there
    assert read_network(path).summary.parameters == 12
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer[0].ClearField("data_location")
    model.graph.initializer[0].ClearField("external_data")
    path.write_bytes(model.SerializeToString())
    assert read_network(path).summary.parameters == 12


def test_huge_dimensions(made: Made) -> None:
    assert "impossible" in wrong(made([node("Relu", ["x"], ["y"])], {"x": (2**40, 2**39)}, ["y"]))
    assert "long" in wrong(made([node("Relu", ["x"], ["y"])], {"x": (2**62, 2)}, ["y"]))
    path = made([node("Expand", ["x", "s"], ["y"])], {"x": (1, 1)}, ["y"], {"s": [2**40, 2**40]})
    assert "impossible" in wrong(path)
    nodes = [node("ConstantOfShape", ["s"], ["c"]), node("Range", ["a", "b", "d"], ["r"]), node("Relu", ["x"], ["y"])]
    path = made(nodes, {"x": (2, 3)}, ["y"], {"s": [10**6, 10**5], "a": 0, "b": 10**9, "d": 1})
    assert read_network(path).summary.fate == {"constants": 2, "Einsums": 1}  # and nothing that large is made


def test_too_many_nodes(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ffcore_onnx_import.reader.MAX_NODES", 3)
    nodes = [node("Relu", [f"x{i}"], [f"x{i + 1}"]) for i in range(4)]
    assert "4 nodes are more than the 3 that are read" in wrong(made(nodes, {"x0": (2, 3)}, ["x4"]))


def test_shapes_that_are_not_known_or_do_not_fit(made: Made) -> None:
    nodes = [node("NonZero", ["x"], ["i"]), node("Cast", ["i"], ["y"], to=1)]
    assert "NonZero" in wrong(made(nodes, {"x": (2, 3)}, ["y"]))
    text = wrong(made([node("Conv", ["x", "w"], ["y"])], {"x": (1, 3, 8, 8)}, ["y"], {"w": (4, 5, 3, 3)}))
    assert "channels" in text or "inferred" in text
    text = wrong(made([node("MatMul", ["x", "w"], ["y"])], {"x": (2, 3)}, ["y"], {"w": (5, 4)}))
    assert "MatMul" in text
    nodes = [node("Slice", ["x", "b", "b"], ["z"]), node("Relu", ["z"], ["y"])]
    assert "no elements" in wrong(made(nodes, {"x": (2, 3)}, ["y"], {"b": [1]}))


def test_names_cannot_become_templates(made: Made, tmp_path: Path) -> None:
    """What a file calls its values is text of the workload, and never Jinja, YAML or Python."""
    evil = "{{ 7*7 }}\n  - !include /etc/passwd # {% raw %}"
    nodes = [node("MatMul", [evil, "lambda"], ["all"], name=evil), node("Relu", ["all"], ["input"])]
    path = made(nodes, {evil: (2, 3)}, ["input"], {"lambda": (3, 4)})
    text = read_network(path).text
    assert "{{" not in text
    assert "{%" not in text
    assert "/etc" not in text
    assert len(ff.Spec.from_yaml("tpu_v4i_like", path).problem().einsums) == 2
    out = tmp_path / "out.yaml"
    convert(path, out)
    assert out.read_text() == text


@pytest.mark.parametrize("seed", range(60))
def test_damaged_files_are_errors_and_nothing_else(made: Made, seed: int) -> None:
    nodes = [node("Conv", ["x", "w"], ["c"], pads=[1, 1, 1, 1]), node("Reshape", ["c", "s"], ["y"])]
    path = made(nodes, {"x": (1, 3, 8, 8)}, ["y"], {"w": (4, 3, 3, 3), "s": [4, 64]})
    data, rng = bytearray(path.read_bytes()), random.Random(seed)
    for _ in range(1 + seed % 5):
        data[rng.randrange(len(data))] = rng.randrange(256)
    path.write_bytes(data)
    with contextlib.suppress(ff.SpecError):
        read_network(path)


@pytest.mark.parametrize(
    "bad",
    [
        node("Concat", ["x", "x"], ["y"], axis=7),
        node("Conv", ["x"], ["y"]),
        node("Transpose", ["x"], ["y"], perm=[0, 0]),
        node("Transpose", ["x"], ["y"], perm=[0]),
        node("Gather", ["x"], ["y"]),
        node("MaxPool", ["x"], ["y"], kernel_shape=[2]),
        node("MaxPool", ["x"], ["y"], kernel_shape=[2**62, 2]),
        node("Einsum", ["x", "x"], ["y"], equation="ij->k"),
        node("Einsum", ["x"], ["y"], equation="((("),
        node("Split", ["x"], ["y", "z"], axis=5),
        node("Softmax", [], ["y"]),
        node("If", ["x"], ["y"]),
        node("ReduceSum", ["x", "x"], ["y"]),
        node("Attention", ["x", "x", "x"], ["y"]),
        node("BatchNormalization", ["x"], ["y"]),
        node("Resize", ["x"], ["y"]),
    ],
    ids=lambda n: n.op_type,
)
def test_nodes_that_make_no_sense(made: Made, bad: onnx.NodeProto) -> None:
    """With and without a shape that the file claims."""
    path = made([bad], {"x": (2, 3)}, ["y"])
    assert bad.op_type in wrong(path)
    model = onnx.load(path)
    model.graph.output[0].type.tensor_type.shape.dim.add().dim_value = 3
    path.write_bytes(model.SerializeToString())
    with contextlib.suppress(ff.SpecError):
        read_network(path)


@pytest.mark.parametrize("seed", range(25))
def test_a_damaged_network_is_an_error_and_nothing_else(tmp_path: Path, seed: int) -> None:
    light = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / "light_squeezenet.onnx"
    if not light.exists():
        pytest.skip(f"this onnx does not ship {light.name}")
    data, rng = bytearray(light.read_bytes()), random.Random(seed)
    for _ in range(1 + seed):
        data[rng.randrange(len(data))] = rng.randrange(256)
    path = tmp_path / "x.onnx"
    path.write_bytes(data)
    with contextlib.suppress(ff.SpecError):
        read_network(path)


def test_many_nodes_are_read(made: Made) -> None:
    """In seconds; what grows with the square of the nodes takes the suite's patience."""
    nodes = [node("Relu", [f"x{i}"], [f"x{i + 1}"]) for i in range(5000)]
    assert read_network(made(nodes, {"x0": (2, 3)}, ["x5000"])).summary.einsums == 5000


def test_shapes_that_the_file_claims_and_that_do_not_fit(made: Made) -> None:
    path = made([node("PRelu", ["x", "w"], ["y"])], {"x": (2, 3)}, ["y"], {"w": (3,)})
    model = onnx.load(path)
    for size in (2, 5):
        model.graph.output[0].type.tensor_type.shape.dim.add().dim_value = size
    path.write_bytes(model.SerializeToString())
    assert "node" in wrong(path) or "PRelu" in wrong(path)
