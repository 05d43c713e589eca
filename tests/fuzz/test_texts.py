"""Texts of any kind, by hypothesis: what reads them finds them good or says what is wrong."""

from __future__ import annotations

import warnings

from hypothesis import given, settings
from hypothesis import strategies as st

from ffcore.errors import FFError, SpecWarning
from ffcore.mapping.dialect import from_yaml
from ffcore.spec import Spec
from ffcore.spec.einsum_text import parse_einsum, parse_index
from ffcore.spec.expressions import evaluate
from ffcore.spec.source import load_text
from ffcore.units import parse_time
from tests.fuzz.hostile import FRAGMENTS, NAMES, SCALARS

PIECES = st.sampled_from([*SCALARS, *FRAGMENTS, *NAMES])
SIGNS = st.sampled_from(
    [*"()[]{}:,*&!|>'\"%@#-+/<=~ \n.", "  ", "- ", ": ", "{{", "}}", "{%", "%}", " for ", " in ", " if "]
)
TEXTS = st.lists(PIECES | SIGNS | st.text(max_size=5), max_size=8).map("".join)
OPERATORS = ["+", "-", "*", "/", "//", "%", "**", "&", "|", "<", "==", "in", "and", "or", "if", "for", "."]
FUNCTIONS = ["max", "sum", "len", "sorted", "int", "round", "gcd", "abs"]
EXPRESSIONS = st.recursive(
    st.sampled_from(["1", "2.5", "inf", "x", "'a'", "All", "range(3)", "[]", "None", "10**9"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(OPERATORS), inner).map(" ".join),
        inner.map("({})".format),
        inner.map("[{}]".format),
        st.tuples(st.sampled_from(FUNCTIONS), inner).map("{0[0]}({0[1]})".format),
        st.tuples(inner, inner).map("[{0[0]} for x in {0[1]}]".format),
    ),
    max_leaves=12,
)  # fmt: skip
FEW = settings(max_examples=150, deadline=None, database=None, derandomize=True)


def reads(read: object, text: str) -> None:
    """The text is read, or refused by an error of ours with a message of sensible length."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpecWarning)
        said = "good"
        try:
            read(text)  # type: ignore[operator]
        except FFError as error:
            said = str(error)
    assert 0 < len(said) < 60_000


@FEW
@given(TEXTS)
def test_yaml(text: str) -> None:
    reads(load_text, text)


@FEW
@given(TEXTS)
def test_expressions_of_pieces(text: str) -> None:
    reads(lambda t: evaluate(t, {"x": 3, "All": {1, 2}}), text)


@FEW
@given(EXPRESSIONS)
def test_expressions(text: str) -> None:
    reads(lambda t: evaluate(t, {"x": 3, "All": {1, 2}}), text)


@FEW
@given(st.sampled_from([parse_einsum, parse_index, from_yaml, lambda t: parse_time("limit", t)]), TEXTS)
def test_short_forms(read: object, text: str) -> None:
    reads(read, text)


@FEW
@given(st.sampled_from(["arch", "workload", "variables", "renames", "mapper", "mapping"]), TEXTS)
def test_specs(key: str, text: str) -> None:
    reads(lambda t: Spec.from_string(t).problem(), f"{key}: {text}")
