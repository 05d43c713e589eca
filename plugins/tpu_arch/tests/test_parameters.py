"""Parameters: defaults, units, and what is refused."""

import math
import re
from pathlib import Path

import attrs
import pytest
import yaml

from ffcore.errors import SpecError
from ffcore.units import Dimension
from ffcore_tpu_arch.model import tpu_v4i_like, tpu_v4i_like_constrained
from ffcore_tpu_arch.parameters import CONSTRAINED, UNCONSTRAINED, TpuParameters, parameter_records, read_parameters
from ffcore_tpu_arch.plugin import ffcore_arches


class _PlainLoader(yaml.SafeLoader):
    """Reads tagged mappings as plain dicts with the tag under ``type``."""


def _tagged(loader: yaml.SafeLoader, suffix: str, node: yaml.MappingNode) -> dict:
    return {"type": suffix} | loader.construct_mapping(node, deep=True)


_PlainLoader.add_multi_constructor("!", _tagged)


def nodes(text: str) -> dict[str, dict]:
    return {n["name"]: n for n in yaml.load(text, Loader=_PlainLoader)["arch"]["nodes"]}


@pytest.mark.parametrize(
    ("name", "given", "stored"),
    [
        ("global_buffer_size", "64 MiB", 64.0 * 2**23),
        ("local_buffer_size", 4096, 4096.0),
        ("main_memory_bandwidth", "614 GB/s", 8 * 614e9),
        ("main_memory_read_energy", "7.03 pJ/bit", 7.03e-12),
        ("mac_energy", "84 fJ", 8.4e-14),
        ("clock", "1.05 GHz", 1.05e9),
        ("cores", "8", 8),
        ("cores", 8.0, 8),
        ("main_memory_size", "unlimited", math.inf),
        ("constrain_z", "true", True),
        ("constrain_z", False, False),
        ("computes_copies", 1, True),
    ],
)
def test_values_are_stored_in_si(name: str, given: object, stored: object) -> None:
    read = getattr(read_parameters(UNCONSTRAINED, {name: given}), name)
    assert read == pytest.approx(stored, rel=1e-12)
    assert type(read) is type(stored)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cores", 0),
        ("cores", 2.5),
        ("cores", "four"),
        ("cores", True),
        ("cores", math.inf),
        ("cores", None),
        ("array_rows", -128),
        ("clock", 0),
        ("clock", "3 MiB"),
        ("global_buffer_size", -1),
        ("global_buffer_size", "12 pJ"),
        ("global_buffer_size", math.nan),
        ("mac_energy", -1e-12),
        ("mac_energy", math.inf),
        ("constrain_z", "maybe"),
        ("constrain_z", 2),
    ],
)
def test_values_that_make_no_sense_are_refused(name: str, value: object) -> None:
    with pytest.raises(SpecError, match=f"parameter '{name}'"):
        tpu_v4i_like(**{name: value})


def test_unknown_parameter_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(SpecError, match="no parameter 'core'; did you mean 'cores'"):
        tpu_v4i_like(core=8)
    with pytest.raises(SpecError, match="no parameter 'zebra'; there are cores, array_rows"):
        tpu_v4i_like_constrained(zebra=1)


def test_all_mistakes_are_reported_at_once() -> None:
    with pytest.raises(SpecError) as error:
        tpu_v4i_like(core=8, clock=-1, array_rows="x")
    assert len(error.value.problems) == 3


# For every parameter: a value, and where it must be seen in the architecture.
_SEEN = {
    "cores": (8, lambda n: n["LocalBuffer"]["spatial"][0]["fanout"]),
    "array_rows": (64, lambda n: n["ProcessingElement"]["spatial"][1]["fanout"]),
    "array_cols": (32, lambda n: n["ProcessingElement"]["spatial"][0]["fanout"]),
    "main_memory_size": (2**40, lambda n: n["MainMemory"]["size"]),
    "global_buffer_size": (2**20, lambda n: n["GlobalBuffer"]["size"]),
    "local_buffer_size": (2**19, lambda n: n["LocalBuffer"]["size"]),
    "main_memory_bandwidth": (5e12, lambda n: n["MainMemory"]["actions"][1]["throughput"]),
    "global_buffer_read_bandwidth": (6e12, lambda n: n["GlobalBuffer"]["actions"][0]["throughput"]),
    "global_buffer_write_bandwidth": (7e12, lambda n: n["GlobalBuffer"]["actions"][1]["throughput"]),
    "main_memory_read_energy": (1e-11, lambda n: n["MainMemory"]["actions"][0]["energy"]),
    "main_memory_write_energy": (2e-11, lambda n: n["MainMemory"]["actions"][1]["energy"]),
    "global_buffer_read_energy": (3e-12, lambda n: n["GlobalBuffer"]["actions"][0]["energy"]),
    "global_buffer_write_energy": (4e-12, lambda n: n["GlobalBuffer"]["actions"][1]["energy"]),
    "local_buffer_read_energy": (5e-13, lambda n: n["LocalBuffer"]["actions"][0]["energy"]),
    "local_buffer_write_energy": (6e-13, lambda n: n["LocalBuffer"]["actions"][1]["energy"]),
    "register_energy": (7e-15, lambda n: n["Register"]["actions"][0]["energy"]),
    "mac_energy": (8e-14, lambda n: n["MAC"]["actions"][0]["energy"]),
    "scalar_energy": (9e-15, lambda n: n["ScalarUnit"]["actions"][0]["energy"]),
    "constrain_z": (True, lambda n: n["LocalBuffer"]["spatial"][0]["reuse"] == "weight"),
    "computes_copies": (True, lambda n: n["ScalarUnit"]["computes_copies"]),
}


@pytest.mark.parametrize("name", _SEEN)
def test_parameter_reaches_the_architecture(name: str) -> None:
    value, seen = _SEEN[name]
    assert seen(nodes(tpu_v4i_like(**{name: value}))) == pytest.approx(value)


def test_clock_and_lanes_set_the_rates() -> None:
    made = nodes(tpu_v4i_like(clock=1e9, scalar_lanes=64))
    assert made["MAC"]["actions"][0]["throughput"] == 1e9
    assert made["ScalarUnit"]["actions"][0]["throughput"] == 64e9


def test_every_parameter_is_covered() -> None:
    assert set(_SEEN) | {"clock", "scalar_lanes"} == {f.name for f in attrs.fields(TpuParameters)}


def test_records_describe_every_parameter() -> None:
    records = list(ffcore_arches())
    assert [r.name for r in records] == ["tpu_v4i_like", "tpu_v4i_like_constrained"]
    for record, defaults in zip(records, (UNCONSTRAINED, CONSTRAINED), strict=True):
        assert {p.name: p.default for p in record.parameters} == attrs.asdict(defaults)
        assert all(p.summary for p in record.parameters)
        assert record.load()() == record.load()(**{p.name: p.default for p in record.parameters})
    units = {d.value for d in Dimension}
    assert {p.unit for p in parameter_records(UNCONSTRAINED)} <= units


def test_readme_lists_every_parameter_with_its_summary() -> None:
    readme = (Path(__file__).resolve().parents[1] / "README.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", readme, re.MULTILINE))
    assert rows == {p.name: p.summary for p in parameter_records(UNCONSTRAINED)}
