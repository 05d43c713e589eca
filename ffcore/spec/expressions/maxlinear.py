"""Symbolic latency: a maximum of linear forms in the numbers of action calls.

A component's ``total_latency`` is written over numbers of calls that are known only once a mapping
is evaluated. Evaluating it over `MaxLinear.variable` numbers gives the coefficients once and for all.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

MAX_FORMS = 1000

Form = tuple[Mapping[str, float], float]  # coefficients, constant


class MaxLinear:
    """``max(form, ...)``, each form a sum of nonnegative coefficient x number of calls of an action.

    Supports ``+``, ``*`` and ``/`` by a number >= 0, and ``max``; anything else is a ValueError.
    Constants are allowed on the way, but not in the result that `forms` gives.
    """

    __slots__ = ("_forms",)

    def __init__(self, forms: Iterable[Mapping[str, float]]) -> None:
        self._forms = _undominated((dict(form), 0.0) for form in forms)

    @classmethod
    def variable(cls, action: str) -> MaxLinear:
        """The number of calls of ``action``."""
        return cls([{action: 1.0}])

    @classmethod
    def lift(cls, value: object) -> MaxLinear:
        """``value`` itself, or the constant form of a number >= 0; ValueError for anything else."""
        if isinstance(value, MaxLinear):
            return value
        if not isinstance(value, (int, float)):
            raise ValueError(f"{value!r} is not a latency")
        if not 0 <= value < math.inf:
            raise ValueError(f"a latency cannot contain the constant {value}")
        try:
            return cls._of([({}, float(value))])
        except OverflowError:
            raise ValueError(f"a latency cannot contain an integer of {int(value).bit_length()} bits") from None

    @classmethod
    def _of(cls, forms: Iterable[Form]) -> MaxLinear:
        made = cls.__new__(cls)
        made._forms = _undominated(forms)
        return made

    def forms(self) -> tuple[Mapping[str, float], ...]:
        """The linear forms without zero coefficients, none dominated by another; () is a latency of 0."""
        for _, constant in self._forms:
            if constant:
                raise ValueError(f"a latency must be proportional to numbers of calls, not contain {constant:g} s")
        found = ({action: c for action, c in form.items() if c} for form, _ in self._forms)
        return tuple(form for form in found if form)

    def value(self, calls: Mapping[str, float]) -> float:
        """The maximum for given numbers of calls."""
        return max(c0 + sum(c * calls[action] for action, c in form.items()) for form, c0 in self._forms)

    def __add__(self, other: object) -> MaxLinear:
        if not isinstance(other, (MaxLinear, int, float)):
            return NotImplemented
        right = MaxLinear.lift(other)
        if len(self._forms) * len(right._forms) > MAX_FORMS:
            raise ValueError(f"a latency may be the maximum of at most {MAX_FORMS} forms")
        return MaxLinear._of(_sum(a, b) for a in self._forms for b in right._forms)

    __radd__ = __add__

    def __mul__(self, other: object) -> MaxLinear:
        if isinstance(other, MaxLinear):
            self._refuse("the product of two numbers of calls")
        if not isinstance(other, (int, float)):
            return NotImplemented
        if not 0 <= other < math.inf:
            self._refuse(f"a number of calls times {other}")
        return MaxLinear._of(
            ({action: c * other for action, c in form.items()}, constant * other) for form, constant in self._forms
        )

    __rmul__ = __mul__

    def __truediv__(self, other: object) -> MaxLinear:
        if isinstance(other, MaxLinear):
            self._refuse("the quotient of two numbers of calls")
        if not isinstance(other, (int, float)):
            return NotImplemented
        if not other > 0:
            self._refuse(f"a number of calls divided by {other}")
        return MaxLinear._of(
            ({action: c / other for action, c in form.items()}, constant / other) for form, constant in self._forms
        )

    def __pos__(self) -> MaxLinear:
        return self

    def __ff_max__(self, others: Sequence[object]) -> MaxLinear:
        """The maximum of this and ``others``; what ``max(...)`` in an expression calls."""
        forms = list(self._forms)
        for other in others:
            forms.extend(MaxLinear.lift(other)._forms)
            if len(forms) > MAX_FORMS:
                raise ValueError(f"a latency may be the maximum of at most {MAX_FORMS} forms")
        return MaxLinear._of(forms)

    def __ff_min__(self, others: Sequence[object]) -> NoReturn:
        """A minimum is not a maximum of linear forms: ValueError."""
        self._refuse("the minimum of numbers of calls")

    def __repr__(self) -> str:
        return f"MaxLinear({', '.join(f'{dict(form)} + {constant:g}' for form, constant in self._forms)})"

    def _refuse(self, what: str) -> NoReturn:
        raise ValueError(f"{what} is not allowed: a latency is a maximum of sums of number of calls x seconds per call")

    def _no_difference(self, *_: object) -> NoReturn:
        self._refuse("a difference of numbers of calls")

    def _no_quotient(self, *_: object) -> NoReturn:
        self._refuse("a division by a number of calls")

    def _no_comparison(self, *_: object) -> NoReturn:
        self._refuse("a comparison or condition on a number of calls")

    def _no_rounding(self, *_: object) -> NoReturn:
        self._refuse("rounding, a power or a function of a number of calls")

    __sub__ = __rsub__ = __neg__ = __abs__ = _no_difference
    __rtruediv__ = __rfloordiv__ = _no_quotient
    __lt__ = __le__ = __gt__ = __ge__ = __bool__ = _no_comparison
    __eq__ = __ne__ = _no_comparison
    __hash__ = None  # type: ignore[assignment]
    __floordiv__ = __mod__ = __rmod__ = __pow__ = __rpow__ = _no_rounding
    __int__ = __float__ = __round__ = __index__ = __ceil__ = __floor__ = __trunc__ = _no_rounding


def _sum(left: Form, right: Form) -> Form:
    total = dict(left[0])
    for action, coefficient in right[0].items():
        total[action] = total.get(action, 0.0) + coefficient
    return total, left[1] + right[1]


def _undominated(forms: Iterable[Form]) -> tuple[Form, ...]:
    """The forms without those that another one bounds from above everywhere (calls are >= 0)."""
    kept: list[Form] = []
    for form in forms:
        if any(_bounds(other, form) for other in kept):
            continue
        kept = [other for other in kept if not _bounds(form, other)]
        kept.append(form)
    return tuple(kept)


def _bounds(upper: Form, lower: Form) -> bool:
    return lower[1] <= upper[1] and all(c <= upper[0].get(action, 0.0) for action, c in lower[0].items())
