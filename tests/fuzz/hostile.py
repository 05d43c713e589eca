"""Scalars, names, tags and pieces of files that nobody means."""

# ruff: noqa: E501 - lists of texts
from __future__ import annotations

_DIGITS = "1" + 400 * "0"

NAMES = [
    "", " ", "0", "-1", "name", "Above", "All", "Nothing", "inf", "None", "True", "__class__", "__import__", "../x",
    "/etc/passwd", "a b", "a\nb", "a\tb", "a\x00b", "\x1b[2J", "\u202eabc", "\ue000", "é", "名", "🙂", "=1+1", "@x", "<SEP>",
    "</script><script>alert(1)</script>", "'\"><img src=x onerror=alert(1)>", "%s%n", "{0}", "{{7*7}}", "${x}", "$(id)",
    "`id`", "; rm -rf x", "Total", "mapping", "x" * 300, "x" * 20_000, "a.b", "a,b", "a|b", "a<b", "class", "lambda",
]  # fmt: skip

SCALARS = [
    *NAMES,
    "1", "2", "3", "7", "64", "197", "720720", "-1", "-0.0", "0.5", "1.5", "1e9", "1e18", "1e308", "1e-320", "1e400", "inf", "-inf",
    "nan", ".nan", "null", "~", "true", "false", "yes", "0x10", "0o17", "1_000", "18446744073709551616", "9007199254740993",
    _DIGITS, "9" * 1001, "2**53", "2**1023", "2**2000", "9**9**9", "10**400", "round(1e308)*10**300", "1/0", "1e308*10", "-8",
    "4 pJ/bit", "-inf GB/s", "128 MiB", "3 furlongs", "1 MiB/s", "2 GHz", "0.1 mm^2", "4 * 128 B", "1e400 J", "clock * lanes",
    "len(All)", "len(All) == 3", "~All", "All()", "All & Nothing", "weight | input", "weight.bits_per_value", "MainMemory.tensors",
    "Above", "~Above", "Above.tensors", "x for x in range(9)", "[x for x in range(10**9)]", "sum(range(10**6))",
    "[[a for a in range(999)] for b in range(999)]", "'a' * 10**9", "[0] * 10**9", "{a: a for a in range(10)}",
    "max(a.n_calls / a.throughput for a in actions)", "gcd(*range(10))", "factorial(1000)", "comb(1000, 500)", "().__class__",
    "__import__('os').system('touch PWNED')", "open('PWNED', 'w')", "(lambda: 1)()", "f'{1}'", "x := 3", "a if b else c", "a.b.c",
    "(" * 200 + "1" + ")" * 200, "-" * 3000 + "1", "1" + " + 1" * 2000, "not " * 500 + "x", "[" * 90 + "]" * 90, "min_usage", "name",
    "a[0]", "min()", "max([])", "sorted(3)", "range(-5)", "int('9' * 5000)", "float('nan')", "1 if", "''", '""', "'", '"', "\\", "#",
    "T1[m, n] = T0[m, k] * W[k, n]", "T[m] = T[m]", "T1[m, n1] = T0[m, n0]", "A[m] = B[m+p] * C[2*p+3*q]", "A[m] = B[M: -m]",
    "A[] = B[]", "A[m, m] = B[m]", "A = B", "A[m] = B[m*k]", "A[m] = B[99999999999999999999*m]", "0 <= m < 4", "0 <= m <= 0",
    "5 <= m < 4", "m < 10**18", "<= 4", "== 3", "product <= 7", "3 * 5 <", "energy,latency", "energy_delay_product", "resource_usage",
]  # fmt: skip

TAGS = [
    "", "!Memory", "!Toll", "!Compute", "!Container", "!Network", "!Array", "!Hierarchical", "!Fork", "!Storage", "!Temporal", "!Spatial",
    "!Sequential", "!Mapping", "!Nested", "!Split", "!include", "!!python/object/apply:os.system", "!!python/name:os.system", "!!binary",
    "!!set", "!!int", "!!float", "!!str", "!!null", "!x", "!", "!<tag:yaml.org,2002:str>", "!Memoy",
]  # fmt: skip

_BOMB = ", ".join(
    ["&b0 [x, x, x, x, x, x, x, x, x, x]", *(f"&b{i} [{', '.join([f'*b{i - 1}'] * 10)}]" for i in range(1, 5))]
)
_MERGES = ", ".join(["&m0 {a: 1, b: 2}", *(f"&m{i} {{k{i}: 1, <<: *m{i - 1}}}" for i in range(1, 60))])

FRAGMENTS = [
    f"[{_BOMB}]", f"[{_BOMB}, &b5 [*b4, *b4, *b4, *b4, *b4], &b6 [*b5, *b5, *b5, *b5]]", f"[{_MERGES}]", "*b0", "&a *a", "&a [*a]",
    "{<<: *x}", "{<<: {a: 1}, <<: {b: 2}}", "{<<<: {name: x}}", "{<<: [1, 2]}", "{? [a, b] : c}", "{a: 1, a: 2}", "[", "]", "{", "}", ": :",
    "---", "--- x", "...", "%YAML 9.9", "|", ">", "- - - x", "? x", "! x", "!!python/object/apply:os.system [touch PWNED]", "!include /etc/passwd",
    "!include arch.yaml", "!include a.yaml", "{{ 7 * 7 }}", "{{ x }}", "{{ cycler.__init__.__globals__ }}", "{{ ''.__class__.__mro__ }}",
    "{{ 'a' * 10**9 }}", "{{ range(10**9) | list }}", "{{ [1] * 10**8 }}", "{% for i in range(10**8) %}x{% endfor %}",
    "{% for i in range(9999) %}{% for j in range(9999) %}x{% endfor %}{% endfor %}", "{% set x = 3 %}", "{% if %}", "{% endif %}", "{{", "}}", "{%",
    "{# ", "{{ include('a.yaml') }}", "{{ include('/etc/passwd') }}", "{{ include_text('a.yaml') }}", "{{ include_all('.') }}",
    "{{ add_to_path('/') }}", "{{ find_path('../..') }}", "{% macro m(n) %}{{ m(n) }}{% endmacro %}{{ m(1) }}", "{{ 9**9**9 }}", "{{ 2**4096 }}",
    "{{ '%1000000d' % 3 }}", "{{ 'x'.center(10**9) }}", "{{ '{:1000000000}'.format(1) }}", "{{ lipsum(n=1000000) }}", "{% raw %}", "{{ self }}",
    "{{ namespace(a=1) }}", "{{ x.y.z }}", "{{ [3,1]|sort|first }}", "{{ N_EINSUMS }}", "{{ 'a'|replace('', 'b' * 1000) }}",
    "{% set ns = namespace(x='a') %}{% for i in range(40) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}{{ ns.x }}", "\t", "\r", "\x00", "\ufeff", "\u2028",
    "'", '"', "\\x", "'it''s", "\"\\ud800\"", "\"\\x00\"", "[" * 200, "{a: " * 200, "- " * 200, "null", "[[[]]]", "[{}]", "{}", "[]",
]  # fmt: skip
