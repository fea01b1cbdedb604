"""Every technique that a network can be trained with, by the name that its command has.

Importing this imports no torch: a command's help needs the names and the parameters' ranges.
"""

from regdemo.lab.recipe import Technique
from regdemo.lab.techniques import activations, averaging, inputs, targets, tokens, updates, weights


def _all(base: type[Technique]) -> list[type[Technique]]:
    """Every technique below a class, in the order in which they are written."""
    named = [base] if "NAME" in vars(base) else []
    return named + [found for child in base.__subclasses__() for found in _all(child)]


_MODULES = (inputs, activations, tokens, weights, targets, updates, averaging)
TECHNIQUES: dict[str, type[Technique]] = {
    technique.NAME: technique
    for module in _MODULES
    for technique in _all(Technique)
    if technique.__module__ == module.__name__
}
