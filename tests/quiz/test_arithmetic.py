"""Arithmetic from strangers: the value Python would give, or one clear fault, at once."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from regdemo.quiz.arithmetic import LONGEST_EXPRESSION, ArithmeticFault, evaluate


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1/0.9", 10 / 9),
        ("1e-3", 0.001),
        ("1_000", 1000),
        ("2^10", 1024),
        ("-2^2", -4),
        ("11%", 0.11),
        ("1/50%", 2),
        ("3 × 4 − 2 · 5 ÷ 2", 7),
        ("2*π", 2 * math.pi),
        ("e**2", math.e**2),
        ("7 // 2", 3),
        ("sqrt(2) + log(8, 2) + max(1, 2, 3)", math.sqrt(2) + 6),
        ("log2(8) + log10(1000) + log(e) + exp(0)", 8),
        ("floor(2.7) + ceil(2.1) + abs(-1) + min(4, 5)", 10),
        ("sin(0) + cos(0) + tan(0) + tanh(0)", 1),
    ],
)
def test_arithmetic_has_the_value_that_it_looks_to_have(expression, value):
    assert evaluate(expression) == pytest.approx(value, rel=1e-15)


def test_a_parameter_stands_for_its_value_and_hides_a_constant():
    assert evaluate("1/(1-p) + e", {"p": 0.5, "e": 1}) == 3.0


def test_whole_numbers_are_floats_so_that_none_grows_without_bound():
    assert evaluate("2**64 + 1") == 2.0**64


@pytest.mark.parametrize(
    "expression",
    [
        *("__import__('os')", "().__class__", "[x for x in y]", "'a' * 3", "f'{1}'", "lambda: 1", "p.real", "p[0]"),
        *("1 if 1 else 2", "not 1", "True", "1 < 2", "1, 2", "1; 2", "1\n2", "x := 1", "max(*p)", "sqrt", "sqrt(1)(2)"),
        *("", " ", "abc", "nan", "inf", "1j", "0x10", "5!", "factorial(3)", "1.5.2", "1e", "5 % 3", "٣"),
        *("½", "ｐ", "2 3"),
        *("1/0", "0**-1", "sqrt(-1)", "(-8)**(1/3)", "log(0)", "max()", "max(1)", "sqrt(1, 2)", "pi(1)"),
        *("9**9**9", "10**10**10", "1e999", "1/1e999", "1e308 * 10", "1/(1e308*10)", "exp(1000)"),
        *("(" * 10_000 + "1" + ")" * 10_000, "-" * 10_000 + "1", "9" * 10_000, "1+" * 10_000 + "1"),
        *("(" * 140 + "1", "-" * 290 + "1j", "\x1b[31m1", "1\0"),
    ],
)
def test_anything_else_is_a_fault(expression):
    with pytest.raises(ArithmeticFault) as caught:
        evaluate(expression, {"p": 0.5})
    message = str(caught.value)
    assert len(message) < 200
    assert message.isprintable()


def test_a_long_text_is_refused_before_it_is_read():
    with pytest.raises(ArithmeticFault, match="has 20,001 characters: arithmetic has at most 300"):
        evaluate("(" * 10_000 + "1" + ")" * 10_000)


def test_the_longest_text_allowed_does_not_exhaust_the_stack():
    assert evaluate("-" * (LONGEST_EXPRESSION - 1) + "1") == -1.0
    assert evaluate("(" * 100 + "1" + ")" * 100) == 1.0


def test_a_fault_names_what_is_known():
    with pytest.raises(ArithmeticFault, match=r"'1/q' names q, which has no value: allowed are pi, e, p$"):
        evaluate("1/q", {"p": 0.5, "s": "text"})


NUMBERS = st.floats(1e-3, 1e3).map(repr) | st.integers(0, 999).map("{}.0".format)  # whole, Python's grow without bound
EXPRESSIONS = st.recursive(
    NUMBERS | st.just("p"),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "**", "//"]), inner).map(" ".join).map("({})".format)
        | inner.map("-{}".format)
    ),
    max_leaves=8,
)


@given(EXPRESSIONS, st.floats(-5, 5))
def test_it_agrees_with_python_wherever_python_has_a_finite_real_value(expression, p):
    try:
        expected = eval(expression, {"p": p})  # built above from numbers and operators alone
    except (ZeroDivisionError, OverflowError, TypeError):  # TypeError: a complex number has no //
        expected = math.nan
    if isinstance(expected, complex) or not math.isfinite(expected):
        expected = None
    try:
        value = evaluate(expression, {"p": p})
    except ArithmeticFault:
        value = None
    # An infinity on the way, as in 1/(1e200 * 1e200), is a fault here and 0 there.
    assert value == expected or (value is None and expected == 0)


@given(st.text(max_size=400) | st.text("0123456789.()+-*/%^, epimaxsqrt_", max_size=400))
def test_any_text_has_a_finite_value_or_is_a_fault_on_one_line(text):
    try:
        value, said = evaluate(text, {"p": 0.5}), ""
    except ArithmeticFault as fault:
        value, said = 0.0, str(fault)
    assert math.isfinite(value)
    assert said.isprintable()
