"""Value and set expressions: what they mean, and that nothing harmful gets through."""

from __future__ import annotations

import math
import pickle
from contextlib import suppress

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ffcore.errors import ErrorCollector, Position, SpecError, SpecProblem, suggest
from ffcore.spec.expressions import MaxLinear, RankVariableSet, TensorSet, evaluate, names_in
from ffcore.spec.expressions.operations import MAX_STEPS


@attrs.frozen
class Info:
    rank_variables: frozenset[str]
    bits_per_value: float = 8


# C[m, n] = A[m, k] * B[k, n]
UNIVERSE = {"A": Info(frozenset("mk")), "B": Info(frozenset("kn"), 4), "C": Info(frozenset("mn"), 16)}


def tensors(*names: str) -> TensorSet:
    return TensorSet(names, UNIVERSE)


class Memory:
    """Stands for an architecture node: attributes for values, a set for set expressions."""

    __ff_attributes__ = ("size", "tensors")

    def __init__(self, size: float, kept: TensorSet) -> None:
        self.size = size
        self.tensors = kept
        self.secret = "not offered"

    def __ff_set__(self) -> TensorSet:
        return self.tensors


class Action:
    __ff_attributes__ = ("n_calls", "throughput")

    def __init__(self, name: str, throughput: float) -> None:
        self.n_calls = MaxLinear.variable(name)
        self.throughput = throughput


class Table:
    """Offers computed attributes."""

    expression_attributes = {"double": lambda table: table.value * 2}  # noqa: RUF012

    def __init__(self, value: int) -> None:
        self.value = value


SYMBOLS: dict[str, object] = {
    "All": tensors("A", "B", "C"),
    "Nothing": tensors(),
    "A": tensors("A"),
    "B": tensors("B"),
    "C": tensors("C"),
    "input": tensors("A"),
    "output": tensors("C"),
    "weight": tensors("B"),
    "Intermediates": tensors("A", "C"),
    "OtherTensor": tensors(),
    "MainMemory": Memory(1024, tensors("A", "B")),
    "m": RankVariableSet("m", "mkn"),
    "table": Table(21),
    "rank_sizes": {"M": 64, "K": 32},
    "sizes": [1, 2, 3],
    "x": 5,
    "actions": [Action("read", 2.0), Action("write", 4.0)],
}


def error_of(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        evaluate(text, SYMBOLS, Position("arch.yaml", 12, "arch.MainMemory.size"))
    (problem,) = caught.value.problems
    assert str(caught.value).startswith("arch.yaml:12: arch.MainMemory.size: ")
    assert "\n" not in problem.message
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8 * 614e9", 8 * 614e9),
        ("1e-12", 1e-12),
        ("-x ** 2 // 3 % 4", -(5**2) // 3 % 4),
        ("2 ** -1", 0.5),
        ("True", True),
        ("None", None),
        ("inf", math.inf),
        ("math.pi", math.pi),
        ("ceil(7 / 2) + math.floor(2.5)", 6),
        ("log2(8)", 3),
        ("prod(sizes) * prod([2, 3])", 36),
        ("min(3, x, 4) + max([1, 2])", 5),
        ("max([], default=7)", 7),
        ("sum(s * 2 for s in sizes if s != 2)", 8),
        ("[a * b for a in sizes for b in range(a)]", [0, 0, 2, 0, 3, 6]),
        ("{k: v for k, v in rank_sizes} if False else 1", 1),
        ("{s % 2 for s in sizes}", {0, 1}),
        ("{'a': 1}['a']", 1),
        ("rank_sizes['M'] + rank_sizes.K + sizes[0] + sizes[-1]", 100),
        ("1 < x <= 5 and not x == 4", True),
        ("0 or 'text'", "text"),
        ("x in sizes", False),
        ("'1if' == '1if'", True),
        ("any(s > 2 for s in sizes), all(sizes)", (True, True)),
        ("sorted([3, 1, 2])", [1, 2, 3]),
        ("round(2.567, 1) + abs(-1) + int(2.9) + float('1.5')", 2.6 + 1 + 2 + 1.5),
        ("table.double", 42),
        ("MainMemory.size / 2", 512),
        ("1 +\n  2", 3),
        ("lcm(4, 6) + gcd(4, 6)", 14),
    ],
)
def test_value_expressions(text: str, expected: object) -> None:
    assert evaluate(text, SYMBOLS) == expected


@pytest.mark.parametrize("value", [3, 2.5, True, None, tensors("A"), [1, 2]])
def test_anything_but_text_is_its_own_value(value: object) -> None:
    assert evaluate(value, {}) is value


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("All", "ABC"),
        ("All()", "ABC"),
        ("~Intermediates", "B"),
        ("input | output", "AC"),
        ("~(input | output)", "B"),
        ("All - weight", "AC"),
        ("Intermediates & input", "A"),
        ("input ^ Intermediates", "C"),
        ("~MainMemory.tensors", "C"),
        ("~MainMemory", "C"),
        ("MainMemory & A", "A"),
        ("A | MainMemory", "AB"),
        ("Nothing | OtherTensor", ""),
        ("input & Intermediates if len(All) == 3 else input", "A"),
        ("weight if weight else Nothing", "B"),
        ("max(t for t in All) if False else All.tensors", "ABC"),
    ],
)
def test_set_expressions(text: str, names: str) -> None:
    assert evaluate(text, SYMBOLS) == TensorSet(names, UNIVERSE)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("len(All) == 3", True),
        ("weight.bits_per_value if weight else 0", 4),
        ("Nothing.bits_per_value if Nothing else 0", 0),
        ("sum(t.bits_per_value for t in All)", 28),
        ("[len(t) for t in ~weight]", [1, 1]),
        ("weight in All and 'A' in All", True),
        ("A < MainMemory, All <= input", (True, False)),
        ("A == input, A != C", (True, True)),
        ("m in A.rank_variables", True),
    ],
)
def test_values_from_sets(text: str, expected: object) -> None:
    assert evaluate(text, SYMBOLS) == expected


def test_rank_variables_complement_within_the_einsum() -> None:
    assert evaluate("(A | B).rank_variables", SYMBOLS) == {"m", "k", "n"}
    assert evaluate("~A.rank_variables", SYMBOLS) == {"n"}
    assert evaluate("weight.rank_variables & input.rank_variables - output.rank_variables", SYMBOLS) == {"k"}


def test_sets_of_different_kinds_do_not_mix() -> None:
    assert "|" in error_of("A | A.rank_variables")
    assert "a number" in error_of("A & 3")
    stranger = TensorSet(["X"], {"X": Info(frozenset("m"))})
    with pytest.raises(ValueError, match="different Einsums"):
        tensors("A") | stranger
    with pytest.raises(ValueError, match="not in"):
        TensorSet(["Z"], UNIVERSE)


def test_bits_per_value_is_for_singletons() -> None:
    assert "exactly one tensor" in error_of("All.bits_per_value")


def test_sets_in_python_iterate_over_names_in_order() -> None:
    assert list(tensors("C", "A")) == ["A", "C"]
    assert tensors("C", "A").names == frozenset("AC")
    assert hash(tensors("A")) == hash(tensors("A"))


REFUSED = [
    "().__class__",
    "().__class__.__bases__[0].__subclasses__()",
    "__import__('os').system('true')",
    "__builtins__",
    "open('/etc/passwd')",
    "eval('1')",
    "exec('1')",
    "getattr(x, 'real')",
    "x.real",
    "'a'.upper()",
    "sizes.append(1)",
    "rank_sizes.keys()",
    "MainMemory.secret",
    "MainMemory.__ff_set__()",
    "table.value",
    "All.names",
    "All.universe",
    "All.members()",
    "All(1)",
    "max",
    "[max][0](1, 2)",
    "(lambda: 1)()",
    "lambda: 1",
    "(y := 1)",
    "f'{x}'",
    "f'{x!r:>99999999}'",
    "[*sizes]",
    "max(*sizes)",
    "max(**rank_sizes)",
    "{**rank_sizes}",
    "sizes[0:1]",
    "b'bytes'",
    "1j",
    "...",
    "1 << 99999",
    "sizes @ sizes",
    "await x",
    "(yield)",
    "[x async for x in sizes]",
    "[1 for sizes[0] in sizes]",
    "[1 for x.y in sizes]",
    "import os",
    "x = 1",
    "x; x",
    "",
    "   ",
    "(",
    ")",
    "1 +",
    "a\\\nb",
    "'\\x41'",
    "\x00",
    "max(sizes, key=x)",
    "sum(sizes, begin=1)",
    "float('nan')",
    "inf - inf",
    "(-8) ** 0.5",
    "~3",
    "3 & 1",
    "1 / 0",
    "0 ** -1",
    "1e308 ** 2",
    "int('x')",
    "math.nothing(1)",
    "sizes['a']",
    "sizes[9]",
    "rank_sizes['Q']",
    "rank_sizes[sizes]",
    "{sizes: 1}",
    "1 + 'a'",
    "x < 'a'",
    "len(3)",
    "sqrt('a')",
    "sqrt(1, 2)",
    "sqrt(-1)",
    "min()",
    "max([])",
    "[a for a, b in [(1, 2, 3)]]",
    "sum(3)",
    "for",
    "1if x else 2",
]


@pytest.mark.parametrize("text", REFUSED)
def test_refused_in_one_sentence_with_its_place(text: str) -> None:
    error_of(text)


# Each of these would take hours or gigabytes if it were carried out; a budget stops it.
BLOWUPS = [
    "9 ** 9 ** 9",
    "(9 ** 999) ** 999",
    "-9 ** 99999999999",
    "[a * a for a in [2 ** 4000] for a in [a * a] for a in [a * a]]",
    "2 ** 99999",
    "prod(range(1, 100000))",
    "factorial(10 ** 9)",
    "comb(10 ** 9, 5 * 10 ** 8)",
    "perm(10 ** 9)",
    "round(5, -10 ** 9)",
    "range(10 ** 12)",
    "range(-10 ** 30, 10 ** 30)",
    "range(10 ** 12, 0, -1)",
    "sum(range(10 ** 6))",
    "[0 for a in range(1000) for b in range(1000) for c in range(1000)]",
    "sum(1 for a in range(2000) for b in range(2000))",
    "sum(sum(range(999)) for a in range(99999))",
    "'a' * 10 ** 12",
    "10 ** 12 * [0]",
    "len([0] * 90000 + [0] * 90000)",
    "'%999999999d' % 1",
    "[a for a in [[1]]" + " for a in [[a, a]]" * 40 + "]",
    "[1 for a in [[1]]" + " for a in [[a, a]]" * 40 + " for b in [[1]]" + " for b in [[b, b]]" * 40 + " if a == b]",
    "[{a} for a in [(1,)]" + " for a in [(a, a)]" * 40 + "]",
    "lcm(" + ", ".join(f"2 ** {4000 - i} - 1" for i in range(300)) + ")",
    "(" * 3000,
    "-" * 3000 + "1",
    "not " * 2000 + "1",
    "1 if not x else " * 500 + "x",
    "1+" * 6000 + "1",
    "9" * 5000,
    "0x" + "f" * 5000,
    "int('9' * 5000)",
]


@pytest.mark.parametrize("text", BLOWUPS, ids=range(len(BLOWUPS)))
def test_blowups_are_stopped_by_the_budget(text: str) -> None:
    error_of(text)


def test_the_budget_leaves_room_for_real_work() -> None:
    assert evaluate("sum(a * b for a in range(300) for b in range(300))", {}) == (299 * 300 // 2) ** 2
    assert evaluate(" + ".join(["1"] * 500), {}) == 500
    assert MAX_STEPS >= 1_000_000


def test_undefined_names_come_with_a_suggestion() -> None:
    assert "did you mean 'Intermediates'?" in error_of("~Intermediate")
    assert "did you mean 'max'?" in error_of("mx(1, 2)")
    assert "did you mean 'size'?" in error_of("MainMemory.sizes")
    assert "did you mean 'True'?" in error_of("true")


def test_symbols_come_before_functions_unless_called_with_arguments() -> None:
    symbols: dict[str, object] = {"max": tensors("A"), "e": 3, "inf": 4}
    assert evaluate("max", symbols) == tensors("A")
    assert evaluate("max()", symbols) == tensors("A")
    assert evaluate("max(1, 2)", symbols) == 2
    assert evaluate("e + inf", symbols) == 7


def test_comprehension_names_do_not_leak() -> None:
    assert evaluate("[s for s in sizes] + [x]", SYMBOLS) == [1, 2, 3, 5]
    assert evaluate("[x for x in sizes] + [x]", SYMBOLS) == [1, 2, 3, 5]
    assert "'s' is undefined" in error_of("[s for s in sizes] + [s]")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("~MainMemory.tensors & input", {"MainMemory", "input"}),
        ("max(a.n_calls / rate for a in actions)", {"actions", "rate"}),
        ("[x for x in x if y]", {"x", "y"}),
        ("{k: v + w for k, v in items}", {"items", "w"}),
        ("All() if inf else math.pi", {"All"}),
        ("max(1, 2) + max", {"max"}),
        ("ceil(size / 2)", {"size"}),
        (3, set()),
    ],
)
def test_names_in(text: object, names: set[str]) -> None:
    assert names_in(text) == names


def test_names_in_refuses_what_evaluate_refuses() -> None:
    with pytest.raises(SpecError, match=r"f\.yaml:3"):
        names_in("lambda: 1", Position("f.yaml", 3))


# Latency


def forms_of(text: str) -> tuple[object, ...]:
    return MaxLinear.lift(evaluate(text, SYMBOLS)).forms()


def test_latency_is_a_maximum_of_linear_forms() -> None:
    assert forms_of("sum(a.n_calls / a.throughput for a in actions)") == ({"read": 0.5, "write": 0.25},)
    assert forms_of("max(a.n_calls / a.throughput for a in actions)") == ({"read": 0.5}, {"write": 0.25})
    assert forms_of("max(0, actions[0].n_calls * 2)") == ({"read": 2.0},)
    assert forms_of("0") == ()
    assert forms_of("actions[0].n_calls / inf") == ()
    assert forms_of("3 * max(actions[0].n_calls, actions[1].n_calls) + actions[0].n_calls") == (
        {"read": 4.0},
        {"write": 3.0, "read": 1.0},
    )


def test_dominated_forms_are_dropped() -> None:
    assert forms_of("max(actions[0].n_calls, 2 * actions[0].n_calls, sum(a.n_calls for a in actions))") == (
        {"read": 2.0},
        {"read": 1.0, "write": 1.0},
    )


@pytest.mark.parametrize(
    "text",
    [
        "n - 1",
        "1 - n",
        "-n",
        "n * n",
        "n / n",
        "1 / n",
        "n // 2",
        "n % 2",
        "n ** 2",
        "2 ** n",
        "min(n, 1)",
        "min(1, n)",
        "n * -1",
        "n * inf",
        "n / 0",
        "n > 1",
        "n == 1",
        "1 if n else 0",
        "not n",
        "n in [1]",
        "ceil(n)",
        "round(n)",
        "int(n)",
        "abs(n)",
        "sqrt(n)",
        "sorted([n, n])",
        "n + inf",
        "n | 1",
    ],
)
def test_other_operations_on_latency_are_refused(text: str) -> None:
    with pytest.raises(SpecError):
        evaluate(text, {"n": MaxLinear.variable("read")})


def test_latency_must_not_keep_a_constant() -> None:
    latency = MaxLinear.lift(evaluate("n + 1", {"n": MaxLinear.variable("read")}))
    with pytest.raises(ValueError, match="contain 1 s"):
        latency.forms()


coefficients = st.dictionaries(st.sampled_from("rwc"), st.floats(0, 10), max_size=3)


@given(
    st.lists(coefficients, min_size=1, max_size=4),
    st.lists(coefficients, min_size=1, max_size=4),
    st.floats(0, 10),
    st.fixed_dictionaries({name: st.floats(0, 10) for name in "rwc"}),
)
def test_latency_operations_agree_with_numbers(
    left: list[dict[str, float]], right: list[dict[str, float]], factor: float, calls: dict[str, float]
) -> None:
    a, b = MaxLinear(left), MaxLinear(right)
    va, vb = a.value(calls), b.value(calls)
    assert va == pytest.approx(max(sum(c * calls[n] for n, c in form.items()) for form in left))
    assert (a + b).value(calls) == pytest.approx(va + vb)
    assert (factor * a).value(calls) == pytest.approx(factor * va)
    assert (a / (factor + 1)).value(calls) == pytest.approx(va / (factor + 1))
    assert a.__ff_max__([b, 0]).value(calls) == pytest.approx(max(va, vb))


# Anything at all

TOKENS = [
    "All", "weight", "MainMemory", "x", "sizes", "rank_sizes", "actions", "table", "max", "min", "sum", "len", "range",
    "round", "sorted", "factorial", "math", "(", ")", "[", "]", "{", "}", ",", ":", ".", "+", "-", "*", "**", "/", "//",
    "%", "&", "|", "^", "~", "==", "<", ">", " in ", " not ", " and ", " or ", " if ", " else ", " for ", " is ", "0",
    "1", "-9", "999999999", "1e308", "inf", "'a'", "'%9d'", "n_calls", "tensors", "rank_variables", "bits_per_value",
    "__class__", "lambda ", ":=", "=", "f'{x}'", "\\", "\n",
]  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(TOKENS), max_size=12).map("".join))
def test_expression_like_garbage_raises_spec_errors_only(text: str) -> None:
    with suppress(SpecError):
        evaluate(text, SYMBOLS)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=40))
def test_garbage_raises_spec_errors_only(text: str) -> None:
    with suppress(SpecError):
        evaluate(text, SYMBOLS)
    with suppress(SpecError):
        names_in(text)


names = st.frozensets(st.sampled_from("ABC"))


@given(names, names)
def test_set_algebra(left: frozenset[str], right: frozenset[str]) -> None:
    a, b = tensors(*left), tensors(*right)
    assert (a & b).names == left & right
    assert (a | b).names == left | right
    assert (a - b).names == left - right
    assert (a ^ b).names == left ^ right
    assert ~(a | b) == ~a & ~b
    assert (a <= b) == (left <= right)
    assert (a < b) == (left < right)
    assert (a == b) == (left == right)
    assert bool(a) == bool(left)
    assert len(a) == len(left)


# Errors


def test_errors_print_one_line_each_and_survive_pickling() -> None:
    errors = ErrorCollector()
    errors.add("unknown field 'siez'", Position("a.yaml", 3, "arch.Buffer"), "size")
    with errors.catch():
        raise SpecError(
            [SpecProblem("another"), SpecProblem("unknown field 'siez'", Position("a.yaml", 3, "arch.Buffer"), "size")]
        )
    with pytest.raises(SpecError) as caught:
        errors.raise_if_any()
    expected = "a.yaml:3: arch.Buffer: unknown field 'siez'; did you mean 'size'?\nanother"
    assert str(caught.value) == expected
    assert str(pickle.loads(pickle.dumps(caught.value))) == expected  # noqa: S301


def test_suggestions() -> None:
    assert suggest("keeep", ["keep", "back"]) == "keep"
    assert suggest("ALL", ["All", "ALLOW"]) == "All"
    assert suggest("qqq", ["keep"]) is None
