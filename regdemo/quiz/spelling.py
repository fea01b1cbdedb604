"""What counts of an answer that is typed: its words and signs, in one spelling."""

from __future__ import annotations

import re
import unicodedata

_SIGNS = str.maketrans(dict.fromkeys("‐−–", "-") | {"⁄": "/"} | dict.fromkeys("$\\\"'“”‘’„«»", ""))
_GREEK = re.compile("[α-ω]")
_POWER = re.compile(r"(?<=[\w)])(?:\*\*| \*\* )(?=[(\d]|-\d|\w\b)")  # and not the bold of markdown
_SUPERSCRIPT = re.compile("[¹²³⁰-ⁿᴬ-ᵡ]+")
_ENDS = re.compile(r"^[. ]+(?!\d)|[. ]+$")
_ARTICLE = re.compile(r"^(?:the|an?) (?=\w{2})")
_BRACKETS = re.compile(r"^\(([^()]+)\)$")
_EXPONENT = re.compile(r"\^[{(](-?\w+)[)}]")
_BRITISH = re.compile(r"(?<=[a-z]{3})is(?=(?:e(?:d|rs?|s)?|ing|ations?)\b)")
_HYPHEN = re.compile(r"(?<=[a-z]{2})-(?=[a-z]{2})")


def folded(text: str) -> str:
    """The text without case, extra space and the marks of markdown."""
    return " ".join(re.sub("[`*_]", "", unicodedata.normalize("NFKC", text)).casefold().split())


def spelled(text: str) -> str:
    """The text without case and quotes, with one spelling of each sign: a Greek letter is its name, a power has a ^."""
    plain = unicodedata.normalize("NFKC", _POWER.sub("^", _SUPERSCRIPT.sub(r"^\g<0>", text))).casefold()
    plain = plain.translate(_SIGNS)
    return _GREEK.sub(lambda letter: unicodedata.name(letter[0]).split()[-1].lower().replace("lamda", "lambda"), plain)


def as_typed(text: str) -> str:
    r"""What counts of a text: its words and signs, however they are typed.

    Case, space, quotes, the hyphen of a word, a full stop, an article before the text, brackets around it or around an
    exponent and British spelling (-ise) do not count; a Greek letter is its name.

    >>> [as_typed(text) for text in ("Weight decay.", "“weight-decay”", r"$\lambda$", "λ", "(1 − p)", "x^{2}", "x²")]
    ['weightdecay', 'weightdecay', 'lambda', 'lambda', '1-p', 'x^2', 'x^2']
    """
    plain = _ARTICLE.sub("", _EXPONENT.sub(r"^\1", _ENDS.sub("", folded(spelled(text)))))
    plain = _BRITISH.sub("iz", _HYPHEN.sub("", _BRACKETS.sub(r"\1", plain)))
    return plain.replace(" ", "")
