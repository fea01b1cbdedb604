"""Every technique that a network can be trained with, by the name that its command has.

Importing this imports no torch: a command's help needs the names and the parameters' ranges.
"""

from regdemo.lab.recipe import Technique
from regdemo.lab.techniques import activations, averaging, inputs, targets, tokens, updates, weights

_MODULES = (inputs, activations, tokens, weights, targets, updates, averaging)
# Read out of the modules rather than from a register, so that a module that is loaded lazily is loaded by it.
TECHNIQUES: dict[str, type[Technique]] = {
    value.NAME: value
    for module in _MODULES
    for value in vars(module).values()
    if type(value) is type  # `isinstance` would load a module that is lazy
    and issubclass(value, Technique)
    and value.__module__ == module.__name__
    and "NAME" in vars(value)
}
