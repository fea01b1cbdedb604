"""Formulas in plain characters: what they say is kept, whatever the LaTeX is."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from regdemo.render.cards import Page
from regdemo.render.mathematics import DEEPEST, LONGEST_FORMULA, plain


@pytest.mark.parametrize(
    ("latex", "text"),
    [
        (r"\frac{1}{1-p}", "1/(1-p)"),
        (r"\frac{1}{2}\lambda", "1/2 λ"),
        (r"x\frac12(a+b)", "x 1/2 (a+b)"),
        (r"\tfrac12 x", "1/2 x"),
        (r"\dfrac{a}{b} + \cfrac{c}{d}", "a/b + c/d"),
        (r"\binom{n}{k} + \tbinom{n}{1}", "C(n, k) + C(n, 1)"),
        (r"\frac{\partial L}{\partial w}", "∂L/∂w"),
        (r"\left(\frac{a}{b}\right)^{n}", "(a/b)ⁿ"),
        (r"e^{-\frac{x^2}{2}}", "e^(-x²/2)"),
        (r"\frac{x_i - \mu}{\sqrt{\sigma^2 + \epsilon}}", "(xᵢ - μ)/(√(σ² + ϵ))"),
        (r"x_{i+1}^2 + y_\theta", "xᵢ₊₁² + y_θ"),
        (r"D_{KL}(P \| Q)", "D_(KL)(P ‖ Q)"),
        (r"w_{<t}", "w_(<t)"),
        (r"10^{-3}", "10⁻³"),
        (r"\mathbb{E}[x] = \mu", "𝔼[x] = μ"),
        (r"W \in \mathbb{R}^{d \times k}", "W ∈ ℝ^(d × k)"),
        (r"\sum_{i=1}^{n} w_i^2", "∑ᵢ₌₁ⁿ wᵢ²"),
        (r"\hat{y} \sim \mathcal{N}(0, \sigma^2 I)", "ŷ ∼ N(0, σ² I)"),
        (r"O(n\log n)", "O(n log n)"),
        (r"\max(0, x)", "max(0, x)"),
        (r"\operatorname*{arg\,max}_\theta", "arg max_θ"),
        (r"\text{if } x \ne 0", "if x ≠ 0"),
        (r"\{0, 1\}", "{0, 1}"),
        (r"\sqrt[3]{x}", "³√x"),
        (r"A^\top A", "Aᵀ A"),
        (r"\begin{pmatrix} a & b \\ c & d \end{pmatrix}", "[a b; c d]"),
        (r"\begin{cases} x & x>0 \\ 0 & \text{else}\end{cases}", "{ x, x>0; 0, else"),
        (r"\begin{aligned} y &= x \\ z &= w \end{aligned}", "y = x\nz = w"),
        (r"50% of x", "50% of x"),
    ],
)
def test_a_formula_reads_as_it_would_be_typed(latex, text):
    assert plain(latex) == text


@pytest.mark.parametrize("latex", [r"\frac{1", r"\frac", "x^", r"\begin{align} x", r"\left("])
def test_what_is_not_latex_keeps_what_it_says(latex):
    assert re.findall(r"\w+", plain(latex)) == re.findall(r"\w+", latex) or plain(latex) == "("


def test_a_command_that_is_not_known_stays():
    assert plain(r"\KL(p) + \input{/etc/passwd}") == r"\KL(p) + \input{/etc/passwd}"


@pytest.mark.parametrize(
    "latex", ["x" * (LONGEST_FORMULA + 1), "{" * (DEEPEST + 1) + "x" + "}" * (DEEPEST + 1), r"\sqrt[" * 60]
)
def test_what_is_too_long_or_too_deep_is_shown_as_it_stands(latex):
    assert plain(latex) == latex


@given(st.lists(st.sampled_from([*r"\{}[]^_&$%()x1 ~", r"\frac", r"\sqrt", r"\left", r"\begin{a}", r"\end{a}", "\n"])))
def test_no_text_is_a_fault(pieces):
    plain("".join(pieces))


def shown(markdown):
    console = Console(force_terminal=True, color_system=None, width=60, file=None)
    with console.capture() as captured:
        Page(console).text(markdown)
    return captured.get()


def test_every_way_to_write_a_formula_is_shown_and_a_price_is_left_alone():
    blocks = "$$\ne_1\n$$\n\n\\[\nf_1\n\\]\n\n\\begin{align}\ng_1\n\\end{align}"
    text = shown(f"$a_1$, $$b_1$$, \\(c_1\\), `$d_1$`, $5 and $10\n\n{blocks}")
    for piece in ("a₁, b₁, c₁, ", "$d_1$", "$5 and $10", "e₁", "f₁", "g₁"):
        assert piece in text


def test_what_looks_like_emphasis_in_a_formula_is_none():
    assert "a*b*c and not" in shown("$a*b*c$ and *not*")


def test_a_formula_cannot_send_what_a_terminal_obeys():
    assert "\x1b" not in shown("$\x1b[31m x$ and \\(&#27;[31m\\)")


def test_a_table_shows_its_formulas():
    assert "1/2" in shown("| a |\n| --- |\n| $\\frac{1}{2}$ |")
