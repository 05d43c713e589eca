"""A job: a spec with its parts, from pmappings to an evaluated mapping."""

from __future__ import annotations

import pytest

import ffcore as ff
from ffcore.errors import PluginError
from ffcore.mapper.job import Job


def spec() -> ff.Spec:
    return ff.Spec.from_yaml("simple", "matmuls", N_EINSUMS=2, M=4, KN=4)


def test_the_stages_of_a_job_are_those_of_the_api() -> None:
    job = Job.of(spec()).check()
    pmappings = job.explore()
    mappings = job.join(pmappings)
    expected = ff.map_workload_to_arch(spec(), n_jobs=1)
    assert (mappings.energy(), mappings.latency()) == (expected.energy(), expected.latency())
    assert str(mappings.guarantee) == "optimal"
    nests = mappings.nests[0]
    assert job.evaluate(nests).total_energy == mappings[0].energy()


def test_another_joiner_brings_its_explorer_and_leaves_the_spec_alone() -> None:
    own = spec()
    before = own.hash()
    job = Job.of(own, joiner="exhaustive")
    assert (job.joiner_name, job.explorer_name, job.exact) == ("exhaustive", "exhaustive", True)
    mappings = job.join(job.explore())
    assert mappings[0].energy() == ff.map_workload_to_arch(spec(), n_jobs=1)[0].energy()
    assert own.hash() == before


def test_a_misspelt_joiner_costs_no_search() -> None:
    with pytest.raises(PluginError, match="joiner 'nobody' is not installed"):
        Job.of(spec(), joiner="nobody").check()
    assert len(Job.of(spec(), joiner="nobody").explore().set.einsums) == 2  # pmappings need no joiner
