"""Loading spec files: what they may say, where each value came from, and what they cannot do."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from ffcore.errors import SpecError
from ffcore.spec.source import Node, YamlMap, YamlScalar, YamlSeq, compose, load_sources, load_text, to_plain

SHARED = Path(__file__).resolve().parents[3] / "shared"
PEER = SHARED / "peer_examples"
needs_peer = pytest.mark.skipif(not PEER.is_dir(), reason=f"needs the example files in {PEER}")


def plain(text: str, **data: object) -> object:
    return to_plain(load_text(text, "spec.yaml", data))


def error_of(text: str, **data: object) -> str:
    with pytest.raises(SpecError) as caught:
        load_text(text, "spec.yaml", data)
    (problem,) = caught.value.problems
    assert "\n" not in problem.message
    assert problem.position is not None
    assert problem.position.file == "spec.yaml"
    return str(caught.value)


def write(folder: Path, **files: str) -> Path:
    """Files called ``a__b.yaml`` go to ``a/b.yaml``."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def at(node: Node | None, *path: str | int) -> Node:
    for step in path:
        if isinstance(node, YamlMap):
            node = node.entries[str(step)][1]
        elif isinstance(node, YamlSeq):
            assert isinstance(step, int)
            node = node.items[step]
    assert node is not None
    return node


def place(node: Node) -> tuple[str, int]:
    return Path(node.position.file).name, node.position.line


# Scalars


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-12", -12),
        ("1_000", 1000),
        ("0x1F", 31),
        ("010", 10),
        ("1.5", 1.5),
        ("1e9", 1e9),
        ("1.5e3", 1500.0),
        ("1e-12", 1e-12),
        ("7.03E-12", 7.03e-12),
        (".5", 0.5),
        ("2.", 2.0),
        ("inf", math.inf),
        (".inf", math.inf),
        ("-inf", -math.inf),
        ("True", True),
        ("false", False),
        ("~", None),
        ("null", None),
        ("", None),
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("Y", "Y"),
        ("N", "N"),
        ("n", "n"),
        ("1:30", "1:30"),
        ("2001-01-01", "2001-01-01"),
        ("8 * 614e9", "8 * 614e9"),
        ("~Intermediates", "~Intermediates"),
        ("input | output", "input | output"),
        ("'1'", "1"),
        ('"true"', "true"),
        ("!!str 1", "1"),
        ("!!float 1", 1.0),
        ("!!int '7'", 7),
        ("1.2.3", "1.2.3"),
        ("e5", "e5"),
    ],
)
def test_scalars(text: str, value: object) -> None:
    found = at(load_text(f"x: {text}"), "x")
    assert isinstance(found, YamlScalar)
    assert found.value == value
    assert type(found.value) is type(value)


def test_scalars_keep_their_text() -> None:
    found = at(load_text("x: 7.030e-12"), "x")
    assert isinstance(found, YamlScalar)
    assert found.text == "7.030e-12"


def test_keys_are_always_text() -> None:
    assert plain("{N: 1, Y: 2, no: 3, 4: 5, true: 6, 1e3: 7}") == {
        "N": 1, "Y": 2, "no": 3, "4": 5, "true": 6, "1e3": 7,
    }  # fmt: skip


def test_tags_are_kept_as_names() -> None:
    top = load_text("nodes:\n- !Memory\n  name: A\n- !Compute {name: B}\n- !Order [a]\n- !Unit x\n- {name: C}")
    nodes = at(top, "nodes")
    assert isinstance(nodes, YamlSeq)
    assert [node.tag for node in nodes.items] == ["Memory", "Compute", "Order", "Unit", None]


@pytest.mark.parametrize(
    "tag", ["!!python/object/apply:os.system", "!!python/name:os.system", "!!binary", "!!timestamp"]
)
@pytest.mark.parametrize("value", ["['true']", "'true'", "{a: b}"])
def test_tags_never_make_python_objects(tag: str, value: str) -> None:
    assert "not allowed" in error_of(f"x: {tag} {value}")


# Structure


def test_an_empty_file_is_an_empty_mapping() -> None:
    assert plain("# nothing\n") == {}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: [1, 2\nc: 3\n", 3, "not valid YAML"),
        ("a: 1\n b: 2\n", 2, "not valid YAML"),
        ("a: 1\nb: 2\na: 3\n", 3, "the key 'a' stands twice in one mapping, first at spec.yaml:1"),
        ("- 1\n", 1, "must be a mapping"),
        ("a: 1\n---\nb: 2\n", 2, "only one YAML document"),
        ("a:\n  ? [1, 2]\n  : 3\n", 2, "a key must be a simple text"),
        ("a: *b\n", 1, "*b names nothing"),
        ("a: &x\n  b: *x\n", 2, "inside of what it names"),
        ("a: \x07\n", 1, "not valid YAML"),
        ("a: '\ue000'\n", 1, "U+E000 is reserved"),
        ("a: 1\nb: \ue002 0\ue003\n", 2, "U+E002 is reserved"),
        ("x: {a: 1}\ny:\n  <<: 3\n", 3, "takes a mapping"),
        ("x: &x {a: 1}\ny:\n  <<: *x\n  <<: *x\n", 4, "stands twice"),
        ("x: " + "9" * 5000, 1, "at most 1000 digits"),
        ("x: !!int a", 1, "not a whole number"),
        ("x: !include [a]", 1, "name of a file"),
    ],
)
def test_wrong_yaml(text: str, line: int, words: str) -> None:
    message = error_of(text)
    assert message.startswith(f"spec.yaml:{line}: ")
    assert words in message


def test_anchors_and_merge_keys() -> None:
    text = """
base: &base {size: 1, actions: {read: 1, write: 2}}
more: &more {actions: {write: 3, leak: 4}, width: 8}
shallow: {<<: *base, size: 5}
first_wins: {<<: [*more, *base]}
deep: {actions: {read: 9}, <<<: [*more, *base]}
quoted: {"<<": 1}
same: *base
"""
    loaded = plain(text)
    assert isinstance(loaded, dict)
    assert loaded["shallow"] == {"size": 5, "actions": {"read": 1, "write": 2}}
    assert loaded["first_wins"] == {"actions": {"write": 3, "leak": 4}, "width": 8, "size": 1}
    assert loaded["deep"] == {"actions": {"read": 9, "write": 3, "leak": 4}, "width": 8, "size": 1}
    assert loaded["quoted"] == {"<<": 1}
    assert loaded["same"] == loaded["base"]


def test_billion_laughs_are_stopped() -> None:
    levels = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
    assert "expand to more than" in error_of("a0: &a0 [x, x]\n" + levels)


def test_billion_laughs_by_merging_are_stopped() -> None:
    levels = "".join(f"a{i}: &a{i} {{l: *a{i - 1}, r: *a{i - 1}}}\n" for i in range(1, 40))
    assert "expand to more than" in error_of("a0: &a0 {x: 1}\n" + levels)


def test_billion_laughs_by_includes_are_stopped(tmp_path: Path) -> None:
    for i in range(1, 10):
        include = f"{{{{ include('f{i - 1}.yaml') }}}}" if i > 1 else "x"
        write(tmp_path, **{f"f{i}": "a: [" + ", ".join([include] * 3) + "]"})
    write(tmp_path, top="{% set x = include('f9.yaml') %}\na: {{ x }}\n")
    with pytest.raises(SpecError, match="more than 1000 files"):
        load_sources([tmp_path / "top.yaml"], {})


def test_deep_nesting_is_stopped() -> None:
    assert "nested more than 100 deep" in error_of("x: " + "[" * 500 + "]" * 500)
    assert "nest" in error_of("x: " + "[" * 5000 + "]" * 5000)  # newer YAML parsers stop at a depth of their own
    deeper = "".join(f"a{i}: &a{i} [[[[*a{i - 1}]]]]\n" for i in range(1, 40))
    assert "nested more than 100 deep" in error_of("a0: &a0 x\n" + deeper)


def test_both_yaml_parsers_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a: [1, 'two', 3e9, {b: !T c}]\nw: 'ö'\nd: &d\n- x\n- |\n  y\n  z\ne: {<<: {f: *d}}\n"
    fast = load_text(text)
    monkeypatch.setattr(compose, "_LOADER", yaml.SafeLoader)
    assert load_text(text) == fast
    assert "spec.yaml:2: not valid YAML" in error_of("a: 1\nb: ]\n")


# Jinja


def test_variables_loops_and_defaults() -> None:
    text = """
{% set M = M | default(128) %}
{% set NAMES = [] %}
sizes:
  {% for i in range(N + 1) %}
  N{{i}}: {{ M * 2 ** i }}
  {% endfor %}
{% if EXTRA is defined %}
extra: {{EXTRA}}
{% endif %}
last: {{ [N, 5] | max }}{# comment #}
"""
    assert plain(text, N=2) == {"sizes": {"N0": 128, "N1": 256, "N2": 512}, "last": 5}
    assert plain(text, N=0, M=3, EXTRA="x") == {"sizes": {"N0": 3}, "extra": "x", "last": 5}


def test_filters_and_methods_that_specs_use() -> None:
    text = """
a: {{ ", ".join(names) }}
b: {{ names | join("-") | upper }}
c: {{ "%03d" % 7 }}
d: {{ "x-y".replace("-", "_") }}
e: {% for key, value in table.items() %}{{ key ~ "=" ~ value }} {% endfor %}
f: {{ names | map("upper") | list }}
g: {{ [1, 2, 3] | sum }}
h: {{ 7 // 2 + 7 % 4 }}
i: {{ (5 / 2) | round(0, "floor") | int }}
{% macro unit(x) %}{{ x }} J{% endmacro %}
j: {{ unit(3) }}
{% set block %}some {{ 1 + 1 }} text{% endset %}
k: {{ block if block == "some 2 text" else "changed" }}
l: {{ names }}
"""
    assert plain(text, names=["p", "q"], table={"u": 1}) == {
        "a": "p, q", "b": "P-Q", "c": 7, "d": "x_y", "e": "u=1", "f": ["P", "Q"], "g": 6, "h": 6, "i": 2,
        "j": "3 J", "k": "some 2 text", "l": ["p", "q"],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a: 1\nb: {{ SIZ }}\n", 2, "'SIZ' is undefined; did you mean 'SIZE'?"),
        ("{% set LOCAL = 1 %}\nb: {{ LOCL }}\n", 2, "did you mean 'LOCAL'?"),
        ("a: 1\n{% if MISSING %}\nb: 1\n{% endif %}\n", 2, "'MISSING' is undefined"),
        ("a: {{ 'x' ~ MISSING }}\n", 1, "'MISSING' is undefined"),
        ("a: {{ [MISSING] }}\n", 1, "'MISSING' is undefined"),
        ("{% set x = {1: MISSING} %}\n", 1, "'MISSING' is undefined"),
        ("a: 1\n\nb: {{ SIZE.x }}\n", 3, "no attribute 'x'"),
        ("a: 1\nb: {{ 1 + }}\n", 2, "Jinja: "),
        ("a: 1\n{% for %}\n", 2, "Jinja: "),
        ("a: 1\n{% if 1 %}\n", 2, "Jinja: "),
        ("{% assert SIZE > 9, 'SIZE is ' ~ SIZE %}\n", 1, "spec.yaml:1: SIZE is 5"),
        ("\n{% assert SIZE == 9 %}\n", 2, "an assertion in the file failed"),
        ("a: 1\nb: {{ 1 / 0 }}\n", 2, "division by zero"),
        ("a: {{ 'x' + 1 }}\n", 1, "Jinja: "),
        ("a: {{ 1 | nothing }}\n", 1, "No filter named 'nothing'"),
        ("a: {{ [1] | random }}\n", 1, "No filter named 'random'"),
        ("{% include 'x' %}\n", 1, "there is no file 'x'"),
        ("{% import 'x' as x %}\n", 1, "there is no file 'x'"),
        ("{% extends 'x' %}\n", 1, "there is no file 'x'"),
        ("{% macro f() %}{{ f() }}{% endmacro %}\na: {{ f() }}\n", 1, "nested too deeply"),
        ("a: {{ range }}\n", 1, "cannot be written"),
        ("a: {{ [1] | map('abs') }}\n", 1, "cannot be written"),
    ],
)
def test_wrong_jinja(text: str, line: int, words: str) -> None:
    message = error_of(text, SIZE=5)
    assert message.startswith(f"spec.yaml:{line}: ")
    assert words in message


def test_assert_that_holds_says_nothing() -> None:
    assert plain("{% assert 1 < 2, MISSING %}\na: 1\n") == {"a": 1}


ESCAPES = [
    "''.__class__.__mro__[1].__subclasses__()",
    "''['__class__']",
    "'' | attr('__class__')",
    "[''] | map(attribute='__class__') | list",
    "[''] | map(attribute='__class__') | list | string",
    "range.__globals__",
    "include.__self__",
    "include._load",
    "include_text('x.yaml')._marked",
    "self.__init__.__globals__",
    "self._TemplateReference__context",
    "cycler.__init__.__globals__['os']",
    "dict.mro()",
    "namespace.__init__.__globals__",
    "data.append(1)",
    "table.update(a=1)",
    "data.pop()",
    "'{0.__class__}'.format(1)",
    "'{x}'.format_map(table)",
    "'{:9}'.format(1)",
    "(1).to_bytes(4, 'big')",
    "lipsum()",
    "open('/etc/passwd').read()",
    "include('/etc/passwd')",
    "include_text('/etc/passwd')",
    "include_text('../../../../../../../etc/passwd')",
    "path_exists('/etc/passwd')",
    "find_path('/etc')",
    "add_to_path('/etc')",
    "include_all('/etc')",
    "include_text('\\x00')",
]


@pytest.mark.parametrize("expression", ESCAPES)
def test_the_sandbox_holds(expression: str, tmp_path: Path) -> None:
    data = {"data": [1], "table": {"a": 1}}
    path = tmp_path / "spec.yaml"
    path.write_text(f"\nx: {{{{ {expression} }}}}\n")
    with pytest.raises(SpecError) as caught:
        load_sources([path], data)
    assert str(caught.value).startswith(f"{path}:2: ")
    assert data == {"data": [1], "table": {"a": 1}}


# Each of these would take hours or gigabytes if it were carried out; a budget stops it.
BLOWUPS = [
    "{{ 9 ** 9 ** 9 }}",
    "{{ 9 ** 99999999999 }}",
    "{{ 2 ** 4000 * 2 ** 4000 }}",
    "{{ 'x' * 10 ** 12 }}",
    "{{ 10 ** 12 * [1] }}",
    "{{ [[1] * 1000] * 100000 }}",
    "{{ ['x' * 1000000] * 1000000 }}",
    "{{ range(10 ** 12) | list }}",
    "{% for i in range(10 ** 9) %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{% for j in range(99999) %}a: 1\n{% endfor %}{% endfor %}",
    "{% for i in range(99999) %}{{ 'x' * 100000 }}{% endfor %}",
    "{% set l = range(1000) | list %}" + "{% for a in l %}" * 3 + "{% endfor %}" * 3,
    "{% set x = 'x' * 1000000 %}{% for i in range(99999) %}{% set y = x + x %}{% endfor %}",
    "{% set x = 'x' * 1000000 %}{% for i in range(99999) %}{% if x == x ~ '' %}{% endif %}{% endfor %}",
    "{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
    "{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
    "{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] %}{% endfor %}",
    "{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x = (ns.x, ns.x) %}{% endfor %}",
    "{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x = {1: ns.x, 2: ns.x} %}{% endfor %}",
    "{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x = dict(a=ns.x, b=ns.x) %}{% endfor %}",
    "{% set ns = namespace(x='x') %}{% for i in range(60) %}{% set ns.x = [ns.x, ns.x] | join %}{% endfor %}",
    "{% set ns = namespace(x='xx') %}{% for i in range(60) %}{% set ns.x = ns.x.replace('x', 'xx') %}{% endfor %}",
    "{% set ns = namespace(x='xx') %}{% for i in range(60) %}{% set y %}{{ ns.x }}{{ ns.x }}{% endset %}"
    "{% set ns.x = y %}{% endfor %}",
    "{% set ns = namespace() %}{% set ns.x = ns %}{{ [ns.x] }}",
    "{{ ('x' * 1000000) | replace('x', 'x' * 1000000) }}",
    "{{ ('x' * 1000000).replace('', 'x' * 1000000) }}",
    "{{ ('x' * 1000000).join(range(99999) | list) }}",
    "{{ range(99999) | join('x' * 1000000) }}",
    "{{ 'x' | center(10 ** 12) }}",
    "{{ 'x'.center(10 ** 12) }}",
    "{{ 'x'.ljust(10 ** 12) }}",
    "{{ 'x'.zfill(10 ** 12) }}",
    "{{ '\t'.expandtabs(10 ** 12) }}",
    "{{ 'x' | indent(10 ** 12) }}",
    "{{ '%999999999999d' % 1 }}",
    "{{ '%*d' % (999999999999, 1) }}",
    "{{ '%.999999999999f' % 1 }}",
    "{{ '%999999999999d' | format(1) }}",
    "{{ '{:>999999999999}'.format(1) }}",
    "{{ ('%(a)s' * 100000) % {'a': 'x' * 100000} }}",  # 5 GB; below, minutes
    "{{ ('%(a)s' * 100000) | format(a='x' * 100000) }}",
    "{{ ('%r' * 1000) % (('\\x00' * 4000),) }}",
    "{{ [10 ** 1200] * 200000 }}",
    "{% set x = 'x' * 3999999 %}{% for i in range(90000) %}{% set y = x[1:] %}{% endfor %}",
    "{% set x = range(99999) | list %}{% for i in range(90000) %}{% set y = x[1:] %}{% endfor %}",
    "{% set x = 'x' * 3999999 %}{% for i in range(90000) %}{% if x is lower %}{% endif %}{% endfor %}",
    "{% set x = 'a ' * 1999999 %}{% for i in range(90000) %}{{ x | title | length }}{% endfor %}",
    "{% set x = 'a ' * 1999999 %}{% for i in range(90000) %}{% set y = {}[x] is defined %}{% endfor %}",
    "{% for i in range(99999) %}{{ loop.cycle(*range(1000)) }}{% endfor %}",
    "{{ [1] | slice(10 ** 12) | list }}",
    "{{ [1] | batch(10 ** 12, 0) | list }}",
    "{{ 1.5 | round(10 ** 12, 'ceil') }}",
    "{{ ([[1]] * 90000) | sum(start=[]) }}",
    "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(60) }}",
    "{{ 'x' ~ (['y' * 1000000] * 100000) }}",
    "{{ " + "(" * 3000 + "1" + ")" * 3000 + " }}",
    "{% for i in [1] %}" * 50 + "{% endfor %}" * 50,
    "{{1}}" * 40_000,
    "{{ 1" + " + 1" * 60_000 + " }}",
    "{# #}" * 400_000,
    "{% raw %}{% endraw %}" * 400_000,
    "\n" * 600_000,
]


@pytest.mark.parametrize("text", BLOWUPS, ids=range(len(BLOWUPS)))
def test_blowups_are_stopped_by_the_budget(text: str) -> None:
    error_of(text)


def test_the_budget_leaves_room_for_real_work() -> None:
    text = (
        "x:\n{% for i in range(N) %}- 'Matmul{{i}}: T{{i + 1}}[m, n{{i}}] = T{{i}}[m, n{{i}}] * W{{i}}'\n{% endfor %}"
    )
    loaded = plain(text, N=5000)
    assert isinstance(loaded, dict)
    assert len(loaded["x"]) == 5000


def test_templates_of_all_included_files_count_together(tmp_path: Path) -> None:
    """A file that includes itself in a thousand places was compiled twenty times, once for each depth."""
    write(tmp_path, top="a: [" + "{{ include_all('.') }}," * 8_000 + "]")
    with pytest.raises(SpecError, match="the Jinja templates take more than 300000 steps"):
        load_sources([tmp_path / "top.yaml"], {})


def test_values_of_included_files_count_even_if_a_part_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ffcore.spec.source.compose.MAX_READ", 4000)
    write(tmp_path, top="a: [" + "{{ include('part.yaml', 'b') }}," * 5 + "]", part="b: 1\na: [" + "0," * 1_000 + "]")
    with pytest.raises(SpecError, match=r"part.yaml:2: the included files hold more than 4000 values together"):
        load_sources([tmp_path / "top.yaml"], {})


# Files


def test_include_of_data(tmp_path: Path) -> None:
    write(
        tmp_path,
        top="""
{% set SIZE = 7 %}
{% set PART = include("part.yaml") %}
whole: {{PART}}
sizes: {{PART}}.workload.sizes
quoted: "{{PART}}.workload.sizes.M"
item: {{PART}}.workload.einsums[1]
flow: [{{PART}}.workload.einsums, last]
merged: {<<<: [{{PART}}.workload.sizes, {Q: 3}], M: 1}
block:
- first
- {{PART}}.workload.einsums
- {{PART}}.workload.sizes
count: {{ include("part.yaml", "workload.sizes.M") + 1 }}
key: {{ include("part.yaml", "workload.einsums") }}
tagged: !include part.yaml
""",
        part="""
workload:
  sizes: {M: {{SIZE | default(0)}}, N: 2}
  einsums: [a, b]
""",
    )
    loaded = to_plain(load_sources([tmp_path / "top.yaml"], {}))
    part = {"workload": {"sizes": {"M": 7, "N": 2}, "einsums": ["a", "b"]}}
    assert loaded == {
        "whole": part,
        "sizes": {"M": 7, "N": 2},
        "quoted": 7,
        "item": "b",
        "flow": ["a", "b", "last"],
        "merged": {"M": 1, "N": 2, "Q": 3},
        "block": ["first", "a", "b", {"M": 7, "N": 2}],
        "count": 8,
        "key": ["a", "b"],
        "tagged": {"workload": {"sizes": {"M": 0, "N": 2}, "einsums": ["a", "b"]}},
    }


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("x: {{ include('part.yaml') }}.siez", "has no entry 'siez'; did you mean 'size'?"),
        ("x: {{ include('part.yaml', 'siez') }}", "has no entry 'siez'; did you mean 'size'?"),
        ("x: a {{ include('part.yaml') }}", "must stand alone"),
        ("{{ include('part.yaml') }}: a", "must be a simple text"),
        ("x: {{ include('part.yaml') }}.size.more", "has no entry 'more'"),
        ("x: {{ include('prt.yaml') }}", "there is no file 'prt.yaml' in"),
        ("x: !include prt.yaml", "did you mean 'part.yaml'?"),
        ("x: {{ include_text('prt.yaml') }}", "did you mean 'part.yaml'?"),
        ("x: {{ find_path('prt.yaml') }}", "did you mean 'part.yaml'?"),
        ("x: {{ add_to_path('part.yaml') }}", "is not a folder"),
        ("x: {{ include_text('.') }}", "is not a regular file"),
    ],
)
def test_wrong_includes(tmp_path: Path, line: str, words: str) -> None:
    write(tmp_path, top=f"\n\n{line}\n", part="size: [1]\n")
    with pytest.raises(SpecError) as caught:
        load_sources([tmp_path / "top.yaml"], {})
    assert str(caught.value).startswith(f"{tmp_path / 'top.yaml'}:3: ")
    assert words in str(caught.value)


def test_include_text_and_the_search_path(tmp_path: Path) -> None:
    write(
        tmp_path,
        top="""
{{ add_to_path("parts") }}
{{ include_text("one.yaml") }}
exists: {{ path_exists("one.yaml") and path_exists("parts/one.yaml") and not path_exists("two.yaml") }}
found: "{{ find_path("one.yaml") }}"
here: "{{ cwd() }}"
""",
        parts__one="one: {{ include('deep/two.yaml', 'value') }}\n",
        parts__deep__two="value: 2\n",
    )
    assert to_plain(load_sources([tmp_path / "top.yaml"], {})) == {
        "one": 2,
        "exists": True,
        "found": str((tmp_path / "parts" / "one.yaml").resolve()),
        "here": str(tmp_path),
    }


def test_include_all(tmp_path: Path) -> None:
    write(
        tmp_path,
        top="lists: {{ include_all('parts', 'items') }}\nmaps: {{ include_all('parts', 'sizes') }}\n",
        parts__a="{items: [1, 2], sizes: {A: 1}}",
        parts__b="{items: [3], sizes: {B: 2}}",
    )
    assert to_plain(load_sources([tmp_path / "top.yaml"], {})) == {"lists": [1, 2, 3], "maps": {"A": 1, "B": 2}}
    write(tmp_path, parts__c="{items: [], sizes: {A: 3}}")
    with pytest.raises(SpecError, match=r"c\.yaml:1: the key 'A' stands at .*a\.yaml:1 too"):
        load_sources([tmp_path / "top.yaml"], {})


def test_a_file_that_includes_itself(tmp_path: Path) -> None:
    for call in ("include", "include_text"):
        write(tmp_path, top=f"x: {{{{ {call}('top.yaml') }}}}")
        with pytest.raises(SpecError, match="nested more than 20 deep"):
            load_sources([tmp_path / "top.yaml"], {})
    write(tmp_path, top="x: !include top.yaml")
    with pytest.raises(SpecError, match="nested more than 20 deep"):
        load_sources([tmp_path / "top.yaml"], {})


@pytest.mark.parametrize("use", ["{{ include('%s') }}", "{{ include_text('%s') }}", "!include %s"])
def test_files_outside_need_leave(tmp_path: Path, use: str) -> None:
    write(tmp_path, outside__part="size: 1\n", inside__other="{}")
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    (inside / "link.yaml").symlink_to(outside / "part.yaml")
    (inside / "linked").symlink_to(outside)
    for name in ("../outside/part.yaml", str(outside / "part.yaml"), "link.yaml", "linked/part.yaml"):
        (inside / "top.yaml").write_text(f"{use % name}\n" if "text" in use else f"x: {use % name}\n")
        with pytest.raises(SpecError, match=f"--allow-dir {tmp_path.resolve()}`") as caught:
            load_sources([inside / "top.yaml"], {})
        assert "allowed_dirs=" in str(caught.value)
        assert str(caught.value).startswith(f"{inside / 'top.yaml'}:1: ")
        expected: object = {"size": 1} if "text" in use else {"x": {"size": 1}}
        assert to_plain(load_sources([inside / "top.yaml"], {}, [outside])) == expected


def test_text_without_a_file_includes_nothing_unless_allowed(tmp_path: Path) -> None:
    write(tmp_path, part="size: 1\n")
    text = "x: {{ include('part.yaml', 'size') }}"
    with pytest.raises(SpecError, match="there is no file"):
        load_text(text)
    assert to_plain(load_text(text, allowed_dirs=[tmp_path])) == {"x": 1}


def test_several_files_make_one_mapping(tmp_path: Path) -> None:
    write(tmp_path, arch="arch: {a: {{A}}}\n", work="workload: {b: 2}\n", again="# again\narch: 3\n")
    files = [tmp_path / f"{name}.yaml" for name in ("arch", "work", "again")]
    assert to_plain(load_sources(files[:2], {"A": 1})) == {"arch": {"a": 1}, "workload": {"b": 2}}
    with pytest.raises(SpecError) as caught:
        load_sources(files, {"A": 1})
    assert str(caught.value) == f"{files[2]}:2: the top-level key 'arch' stands at {files[0]}:1 too"


def test_problems_of_all_files_are_reported(tmp_path: Path) -> None:
    write(tmp_path, one="a: [", two="b: {{MISSING}}", good="c: 1")
    with pytest.raises(SpecError) as caught:
        load_sources([tmp_path / f"{name}.yaml" for name in ("one", "two", "god")], {})
    assert len(caught.value.problems) == 3
    assert "did you mean 'good.yaml'?" in str(caught.value)


def test_unreadable_files(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"a: \xff\xfe")
    (tmp_path / "large.yaml").write_bytes(b"#" * (16 * 2**20 + 1))
    for name, words in [
        ("latin.yaml", "not UTF-8"),
        ("large.yaml", "larger than 16 MiB"),
        ("", "not a regular file"),
        ("a\0b", "there is no file"),
    ]:
        with pytest.raises(SpecError, match=words):
            load_sources([tmp_path / name if name else tmp_path], {})


def test_a_byte_order_mark_and_other_line_ends_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("\ufeffa: 1\r\nb:\r\n  c: 2\r\n".encode())
    top = load_sources([tmp_path / "a.yaml"], {})
    assert to_plain(top) == {"a": 1, "b": {"c": 2}}
    assert at(top, "b", "c").position.line == 3


# Lines


def test_lines_survive_loops_and_includes(tmp_path: Path) -> None:
    write(
        tmp_path,
        top="""{{ include_text("pasted.yaml") }}
{% set PART = include("part.yaml") -%}
{#- a comment
over two lines -#}

loop:
  {% for i in range(3) %}
  a{{i}}:
    - {{ i }}
    - x
  {% endfor %}
wörter: {ö: é, after: 1}
{% if false %}
gone: 1
{% else -%}
there: 1
{% endif %}
part: {{ PART }}
mid: [ {{- include_text("item.yaml") -}} , own]
{% set text %}
many
lines
{% endset %}
many: "{{ text }}"
after: 1
{% raw %}
raw: "{{ not jinja }}"
{% endraw %}
last: 1
""",
        pasted="# pasted\npasted: 1\nmore:\n  {% for i in range(2) %}\n  m{{i}}: 1\n  {% endfor %}\n",
        part="\n\nvalue:\n- 1\n- 2\n",
        item="\n 5,\n 6\n",
    )
    top = load_sources([tmp_path / "top.yaml"], {})
    expected = {
        ("pasted",): ("pasted.yaml", 2),
        ("more", "m1"): ("pasted.yaml", 5),
        ("loop", "a0", 0): ("top.yaml", 9),
        ("loop", "a2", 0): ("top.yaml", 9),
        ("loop", "a2", 1): ("top.yaml", 10),
        ("wörter", "after"): ("top.yaml", 12),
        ("there",): ("top.yaml", 16),
        ("part", "value", 1): ("part.yaml", 5),
        ("mid", 0): ("item.yaml", 2),
        ("mid", 1): ("item.yaml", 3),
        ("mid", 2): ("top.yaml", 19),
        ("many",): ("top.yaml", 24),
        ("after",): ("top.yaml", 25),
        ("raw",): ("top.yaml", 27),
        ("last",): ("top.yaml", 29),
    }
    assert {path: place(at(top, *path)) for path in expected} == expected
    assert place(top.entries["after"][0]) == ("top.yaml", 25)


def test_errors_in_included_files_name_them(tmp_path: Path) -> None:
    for bad, words in [
        ("a: {{ MISSING }}", "undefined"),
        ("a: [", "not valid YAML"),
        ("{% assert false, 'no' %}", "no"),
    ]:
        for use in ('x: {{ include("part.yaml") }}', '{{ include_text("part.yaml") }}'):
            write(tmp_path, top=f"\n\n\n{use}\n", part=f"\n{bad}\n")
            with pytest.raises(SpecError, match=words) as caught:
                load_sources([tmp_path / "top.yaml"], {})
            (problem,) = caught.value.problems
            assert problem.position is not None
            name = Path(problem.position.file).name
            # Text that is pasted is parsed with the rest, so the end of the file may be the place.
            pasted_end = "text" in use and "YAML" in words and name == "top.yaml"
            assert pasted_end or (name == "part.yaml" and problem.position.line in (2, 3))


plain_text = st.text(st.sampled_from("abc \n"), max_size=6)
JINJA_BITS = [
    "{{ x }}", "{% if x %}", "{% endif %}", "{% for i in y %}", "{% endfor %}", "{# c #}", "{{- x -}}", "{% set z %}",
    "{% endset %}", "{%- if x -%}", "{% raw %}", "{% endraw %}", "{{ z", "}}", "{% assert x %}", "{{ include('a') }}",
    "a: ", "- ", "[", "]", "{", "}", ", ", "&a ", "*a", "<<: ", "!T ", "'", '"', "# ", "\n", "  ", "|", ">", "? ", "\t",
    "include", "__class__", "\ue000", "\ue0020\ue003", "\x00", "\ud800", "9e9", "%TAG ", "---", "...",
]  # fmt: skip
jinja_bits = st.sampled_from(JINJA_BITS)


@settings(max_examples=400, deadline=None)
@given(st.lists(st.one_of(jinja_bits, plain_text), max_size=12).map("".join))
def test_spec_like_garbage_raises_spec_errors_only(text: str) -> None:
    with suppress(SpecError):
        load_text(text, jinja_data={"x": 1, "y": [1, 2]})


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
def test_garbage_raises_spec_errors_only(text: str) -> None:
    with suppress(SpecError):
        load_text(text)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=20), st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3))
def test_garbage_names_and_data_raise_spec_errors_only(name: str, data: Mapping[str, object]) -> None:
    with suppress(SpecError):
        load_sources([name], data)
    with suppress(SpecError):
        load_text("x: {{ include(name) }}{{ self }}", jinja_data={**data, "name": name, "self": 1})


keys = st.text(st.sampled_from("abcNY_"), min_size=1, max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.sampled_from("ab yN1.")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(keys, values, min_size=1, max_size=4))
def test_what_yaml_dumps_comes_back(data: dict[str, object]) -> None:
    assert to_plain(load_text(yaml.safe_dump(data))) == data


LOOP = "{% for i in [1, 2] %}"
LINES = ["", "# c", "{# c #}", "{%- set a = 1 %}", "key", "key", "{{ lines }}", LOOP]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(LINES), max_size=10))
def test_the_line_of_each_key_is_exact(lines: list[str]) -> None:
    """A key on line n of the template is called ``n_<serial number>``, so it tells where rendering took it from."""
    lines = [f"{n}_{{{{ serial() }}}}: 1" if line == "key" else line for n, line in enumerate(lines, 1)]
    expected = {n for n, line in enumerate(lines, 1) if "serial" in line}
    lines += ["{% endfor %}"] * lines.count(LOOP)
    numbers = itertools.count()
    top = load_text("\n".join(lines), jinja_data={"serial": lambda: next(numbers), "lines": "# one\n# two"})
    assert {key.position.line for key, _ in top.entries.values()} == expected
    for name, (key, value) in top.entries.items():
        assert name.startswith(f"{key.position.line}_")
        assert value.position == key.position


# The peer's files

DATA: dict[str, object] = {
    "N_EINSUMS": 3, "BATCH_SIZE": 2, "N_TOKENS": 64, "DECODE": False, "N_NEW_TOKENS": 128, "N_CACHED_TOKENS": 64,
    "ATTENTION_TYPE": "grouped_query",
}  # fmt: skip


@needs_peer
@pytest.mark.parametrize("decode", [False, True])
def test_all_peer_examples_load(decode: bool) -> None:
    files = [
        p for p in sorted(PEER.rglob("*.yaml")) if not any(part.startswith("_") for part in p.relative_to(PEER).parts)
    ]
    assert len(files) > 15
    for file in files:
        top = load_sources([file], {**DATA, "DECODE": decode}, [PEER])
        assert set(top.entries) <= {"arch", "workload", "mapping", "renames"}
        assert top.entries


@needs_peer
def test_the_peer_gpt3_comes_together_from_its_parts() -> None:
    file = PEER / "workloads/transformers/gpt/gpt3_6.7B.yaml"
    top = load_sources([file], DATA, [PEER])
    sizes = at(top, "workload", "rank_sizes")
    assert isinstance(sizes, YamlMap)
    assert to_plain(sizes) == {
        "P": 128, "M": 128, "B": 2, "H": 32, "E": 128, "F": 128, "D": 4096, "G": 4096, "C": 16384, "J": 4096,
    }  # fmt: skip
    einsums = at(top, "workload", "einsums")
    assert isinstance(einsums, YamlSeq)
    assert [place(e)[0] for e in einsums.items] == ["multi_head.yaml"] * 8 + ["dense_two_layer.yaml"] * 2
    assert all(isinstance(e, (YamlScalar, YamlMap)) for e in einsums.items)
    assert place(at(top, "renames", "einsums", 0, "name")) == ("_renames_default.yaml", 3)
    with pytest.raises(SpecError, match=f"--allow-dir {PEER / 'workloads'}`"):
        load_sources([file], DATA, [PEER / "workloads" / "transformers"])
    with pytest.raises(SpecError, match="N_NEW_TOKENS exceeds MAX_N_TOKENS"):
        load_sources([file], {**DATA, "N_NEW_TOKENS": 10**6}, [PEER])
    with pytest.raises(SpecError, match="did you mean 'BATCH_SIZ'"):
        load_sources([file], {("BATCH_SIZ" if k == "BATCH_SIZE" else k): v for k, v in DATA.items()}, [PEER])
