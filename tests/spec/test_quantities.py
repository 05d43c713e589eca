"""Quantities with units in the fields of a spec: files, paths and Python; expressions stay expressions."""

from __future__ import annotations

import math
from typing import Any

import pytest

from ffcore.errors import SpecError
from ffcore.spec import Spec, arch
from ffcore.spec.quantities import in_any_unit, in_unit, is_quantity, per_bit

TEXT = """
arch:
  variables: {capacity: 64 KiB}
  nodes:
  - !Memory
    name: DRAM
    size: inf
    bits_per_value: {All: 1 B}
    actions:
    - {name: read, energy: 7.03 pJ, throughput: 614 GB/s}
    - {name: write, energy: 2 pJ/bit, throughput: 614 GB/s, bits_per_action: 8}
  - !Memory
    name: Buffer
    size: 128 MiB
    area: 3 mm²
    leak_power: 2mW
    bits_per_action: width * 2
    actions:
    - {name: read, energy: 3 fJ/bit, throughput: 16 Gbit/s}
    - {name: write, energy: 3 fJ, throughput: 1.5 GHz}
  - !Compute
    name: MAC
    actions:
    - {name: compute, energy: 84 fJ, throughput: 1.05 Gop/s}
variables: {width: 4}
workload:
  rank_sizes: {M: 4, N: 4}
  bits_per_value: {All: 1 B}
  einsums:
  - {name: E, einsum: "B[m] = A[m, n]"}
mapper: {time_limit: 60 s, memory_limit: 1 GiB}
"""


def spec(*replacements: tuple[str, str]) -> Spec:
    text = TEXT
    for old, new in replacements:
        assert old in text
        text = text.replace(old, new)
    return Spec.from_string(text)


def actions(problem: Any, place: int) -> dict[str, tuple[float, float]]:
    """Energy and actions per second of a component of the one path."""
    component = problem.einsums[0].paths[0].component(place, {"DRAM": frozenset()})
    (form,) = component.latency or ({},)
    return {a.name: (a.energy, 1 / form[a.name]) for a in component.actions}


def test_fields_become_numbers_in_their_unit() -> None:
    read = spec()
    dram, buffer = read.arch.nodes["DRAM"], read.arch.nodes["Buffer"]
    assert (buffer.size, type(buffer.size)) == (128 * 2**23, int)
    assert (buffer.area, buffer.leak_power) == (3e-6, 2e-3)
    assert dram.actions[0].energy == 7.03e-12
    assert dram.bits_per_value == {"All": 8}
    assert read.workload.bits_per_value == {"All": 8}
    assert (read.mapper.ffm.time_limit, read.mapper.ffm.memory_limit) == (60, 2**30)
    assert read.arch.variables == {"capacity": 64 * 2**13}
    assert read.arch.nodes["MAC"].actions[0].throughput == 1.05e9


def test_rates_per_bit_wait_for_the_bits_of_an_action() -> None:
    problem = spec().problem()
    dram = actions(problem, 0)
    assert dram["read"] == (7.03e-12, pytest.approx(8 * 614e9))  # one bit each
    assert dram["write"] == (pytest.approx(16e-12), pytest.approx(614e9))  # eight bits each
    buffer = actions(problem, 1)
    assert buffer["read"] == (pytest.approx(24e-15), pytest.approx(2e9))  # the memory's own: width * 2
    assert buffer["write"] == (pytest.approx(3e-15), pytest.approx(1.5e9))


def test_the_order_of_setting_does_not_matter() -> None:
    one, other = spec(), spec()
    settings = [("throughput", "2 GB/s"), ("bits_per_action", 16)]
    for name, value in settings:
        one.set(f"arch.nodes.DRAM.actions.read.{name}", value)
    for name, value in reversed(settings):
        other.set(f"arch.nodes.DRAM.actions.read.{name}", value)
    assert one.hash() == other.hash()
    assert actions(one.problem(), 0)["read"][1] == pytest.approx(1e9)


def test_hash_is_that_of_the_number() -> None:
    number = ("size: 128 MiB", "size: 1073741824"), ("7.03 pJ", "7.03e-12"), ("{All: 1 B}", "{All: 8}")
    assert spec().hash() == spec(*number).hash()
    assert spec(("size: 128 MiB", "size: 1073741824.0")).hash() == spec().hash()
    assert spec(("614 GB/s", "0.614 TB/s")).hash() == spec().hash()
    assert spec(("128 MiB", "129 MiB")).hash() != spec().hash()


def test_dumped_data_reads_back() -> None:
    from ffcore.spec.spec import spec_from_data

    assert spec_from_data(spec().to_dict(), "again").hash() == spec().hash()


@pytest.mark.parametrize(
    "text", ["128 MiB", "128MiB", "7.03 pJ", "5J", "1e3 J", ".5 J", "3 mm^2", "3 mm²", "4 GB / s", "-1 J", "16 clock"]
)
def test_quantity(text: str) -> None:
    assert is_quantity(text)


@pytest.mark.parametrize(
    "text",
    ["MiB", "128 * MiB", "8 if x else 4", "1024*64*8", "3 in x", "1 or x", "0x10", "0b11", "1e5", "12", ""],
)
def test_no_quantity(text: str) -> None:
    assert not is_quantity(text)
    assert in_unit(text, "bit") == text


def test_a_variable_may_be_called_like_a_unit() -> None:
    read = spec(("{capacity: 64 KiB}", "{MiB: 8}"), ("size: 128 MiB", "size: 2 * MiB"))
    assert read.problem().einsums[0].paths[0].component(1, {"DRAM": frozenset()}).size == 16


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("size: 128 MiB", "size: 128 ms", 14, "arch.nodes.Buffer.size: '128 ms' is a time; expected a size (bit, B,"),
        ("size: 128 MiB", "size: 128 MIB", 14, "did you mean 'MiB'?"),
        ("throughput: 16 Gbit/s", "throughput: 3 pJ", 19, "actions.read.throughput: '3 pJ' is an energy; expected a b"),
        ("energy: 3 fJ,", "energy: 3 GB,", 20, "energy: '3 GB' is a size; expected an energy (J, mJ"),
        ("bits_per_value: {All: 1 B}\n  e", "bits_per_value: {All: 4 W}\n  e", 28, "bits_per_value.All: '4 W'"),
        ("leak_power: 2mW", "leak_power_scale: 2mW", 16, "'2mW': this is a pure number or an expression"),
        ("variables: {width: 4}", "variables:\n  width: 4\n  other: 3 Bit", 27, "variables.other: unknown unit 'Bit'"),
        ("{capacity: 64 KiB}", "{capacity: 64 clocks}", 3, "arch.variables.capacity: unknown unit 'clocks'"),
        ("{capacity: 64 KiB}", "{capacity: 4K}", 3, "arch.variables.capacity: '4K': a prefix K may mean 1000 or 1024"),
        ("{capacity: 64 KiB}", "{E: 4 pJ/bit}", 3, "arch.variables.E: '4 pJ/bit' depends on the bits of an action"),
        ("{capacity: 64 KiB}", "{BW: 2 GB/s}", 3, "arch.variables.BW: '2 GB/s' depends on the bits of an action"),
        ("{width: 4}", "{E: 4 pJ/bit}", 25, "variables.E: '4 pJ/bit' depends on the bits of an action: write it"),
        ("{M: 4, N: 4}", "{M: 4, N: 64MiB}", 27, "workload.rank_sizes.N: '64MiB': this is a pure number or an exp"),
        ("bits_per_action: 8}", "values_per_action: 1 B}", 11, "values_per_action: '1 B': this is a pure number or an"),
        ("size: 128 MiB", "size: 4 * 128 B", 14, "size: '4 * 128 B': a unit may only follow a plain number, as in"),
        ("size: 128 MiB", "size: 64 KiB * 2", 14, "'64 KiB * 2': a unit may only follow a plain number, as in '128 Ki"),
        ("size: 128 MiB", "size: 9e307 MiB", 14, "size: '9e307 MiB' is too large a number"),
        ("throughput: 16 Gbit/s", "throughput: inf GB/s", 19, "throughput: 'inf GB/s': a unit may only follow a plain"),
        ("{width: 4}", "{width: 4 * 128 B}", 25, "variables.width: '4 * 128 B': a unit may only follow a plain"),
    ],
)
def test_wrong_dimension_names_line_field_and_units(old: str, new: str, line: int, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        spec((old, new))
    (problem,) = caught.value.problems
    assert message in str(problem)
    assert problem.position is not None
    assert problem.position.line == line


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("throughput: 1.05 Gop/s", "throughput: 2 GB/s", "compute.throughput is '16000000000 bit/s', but its"),
        ("bits_per_action: 8}", "values_per_action: 1}", "counted in values"),
        ("bits_per_action: width * 2", "bits_per_action: 0", "must be positive"),
    ],
)
def test_rate_per_bit_that_means_nothing_is_refused(old: str, new: str, message: str) -> None:
    with pytest.raises(SpecError, match="<string>:") as caught:
        spec((old, new)).problem()
    assert message in str(caught.value)


def test_set_by_path_and_in_python() -> None:
    changed = spec()
    changed.set("arch.nodes.Buffer.size", "16MiB")
    assert changed.arch.nodes["Buffer"].size == 16 * 2**23
    changed.arch.nodes["Buffer"].size = "1 KiB"
    assert changed.arch.nodes["Buffer"].size == 8192
    changed.set("workload.bits_per_value.All", "2 B")
    assert changed.workload.bits_per_value == {"All": 16}
    changed.set("variables.width", "1 B")
    assert changed.variables["width"] == 8
    with pytest.raises(SpecError) as caught:
        changed.set("workload.bits_per_value.All", "2 W")
    assert str(caught.value).startswith("workload.bits_per_value.All: '2 W' is a power; expected a size")
    with pytest.raises(SpecError, match="takes no unit"):
        changed.set("arch.nodes.DRAM.tensors.keep", "3 B")


@pytest.mark.parametrize("word", ["unlimited", "Infinity"])
def test_words_for_no_limit_are_answered_with_inf(word: str) -> None:
    with pytest.raises(SpecError, match=f"'{word}' is undefined.*did you mean 'inf'"):
        spec(("size: 128 MiB", f"size: {word}")).problem()


@pytest.mark.parametrize("text", ["8\nevil: 1", "8\nvalue: 1", "\nevil: 1"])
def test_a_second_line_is_no_part_of_a_value(text: str) -> None:
    changed = spec()
    with pytest.raises(SpecError):
        changed.set("variables.width", text)
    assert changed.variables == {"width": 4}


def test_words_for_cost_models_stay_words() -> None:
    read = spec(("area: 3 mm²", "extra_attributes_for_component_model: {node: 65 nm}"))
    assert read.arch.nodes["Buffer"].extra_attributes_for_component_model == {"node": "65 nm"}


def test_jinja_parameter_is_a_quantity_where_it_stands_alone() -> None:
    made = arch("simple", GlobalBufferSize="2 KiB")
    assert made.nodes["GlobalBuffer"].size == 2 * 2**13


def test_packaged_architecture_refuses_parameters_that_it_does_not_ask_for() -> None:
    with pytest.raises(SpecError, match="'simple' has no parameter 'GlobalBuferSize'; did you mean 'GlobalBufferSize'"):
        arch("simple", GlobalBuferSize=3)


@pytest.mark.parametrize("text", ["1e-999999999 J", "1" * 5000 + " J", "1_" * 5000 + "J"])
def test_monstrous_numbers_take_no_time(text: str) -> None:
    if len(text) < 100:
        assert in_unit(text, "J") == 0
    else:
        assert not is_quantity(text)


def test_arch_draws_rates_per_bit_as_they_are() -> None:
    text = str(spec().arch.render())
    assert "read 7.03 pJ/bit, 614 GB/s" in text
    assert "write 2 pJ/bit, 614 GB/s" in text
    assert "read 3 fJ/bit, 2 GB/s" in text


def test_whole_numbers_are_int_and_others_the_nearest_float() -> None:
    assert in_any_unit("0.1 kJ") == 100
    assert in_any_unit("0.293 pJ") == 0.293e-12 != 0.293 * 1e-12  # which is another float
    assert per_bit("7.03 pJ/bit") == 7.03e-12
    assert per_bit("7.03 pJ") is None
    assert math.isinf(in_any_unit(math.inf))
