"""The drop rates that a model holds, wherever it keeps them: found in one walk, set in one call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from torch import nn

from regdemo.errors import ArgumentError
from regdemo.regularizers.checks import check_rate


def find_rates(model: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """Walk over every drop rate in a model: its full name, the module that holds it, and the attribute.

    A rate is a number from 0 to 1 that a module keeps as `p` (nn.Dropout, the modules here), or under a name with
    "dropout" or "pdrop" in it (nn.MultiheadAttention.dropout, Llama's attention_dropout). A call such as
    F.dropout(x, 0.1), whose rate is written in the code, leaves nothing to find.

    >>> [name for name, _, _ in find_rates(nn.Sequential(nn.ReLU(), nn.Dropout(0.1)))]
    ['1.p']
    """
    for name, module in model.named_modules():
        for attribute, value in vars(module).items():
            if (attribute == "p" or "dropout" in attribute or "pdrop" in attribute) and _is_rate(value):
                yield f"{name}.{attribute}".lstrip("."), module, attribute


def _is_rate(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and 0 <= value <= 1


def set_dropout(model: nn.Module, rate: float | Sequence[float]) -> dict[str, float]:
    """Set every drop rate in a model, in place: to one rate, or to a schedule with a rate for each of its layers.

        rate p:               each rate that `find_rates` finds becomes p
        schedule p_1 .. p_L:  each rate inside layer l becomes p_l, those outside the layers stay

    The layers are the one outermost nn.ModuleList or nn.Sequential of length L, such as `model.layers`.
    Returns: what was set, by its full name, as {"layers.0.self_attn.dropout": 0.1, ...}.
    Hugging Face models are reached too; their `config` keeps the rates it was built with.
    Raises ProbabilityError unless each 0 <= p < 1, ArgumentError if the model or one of the layers holds no rate, or
    if the layers are not to be told: a silent no-op is the usual bug. What raises has set nothing.

    >>> set_dropout(nn.TransformerEncoderLayer(8, nhead=2), 0.2)
    {'self_attn.dropout': 0.2, 'dropout.p': 0.2, 'dropout1.p': 0.2, 'dropout2.p': 0.2}
    """
    if not isinstance(rate, Sequence):
        found = [(*site, check_rate(rate, "rate")) for site in find_rates(model)]
        if not found:
            raise ArgumentError(f"{type(model).__name__} holds no drop rate: nothing there could be set")
    else:
        rates = [check_rate(p, f"rate[{layer}]") for layer, p in enumerate(rate)]
        start, layers = _layers(model, len(rates))
        found = []
        for number, (layer, p) in enumerate(zip(layers, rates, strict=True)):
            sites = [(f"{start}{number}.{name}", module, attribute, p) for name, module, attribute in find_rates(layer)]
            if not sites:
                raise ArgumentError(f"layer {start}{number} holds no drop rate: nothing there could be set")
            found += sites
        if len({(module, attribute) for _, module, attribute, _ in found}) < len(found):
            raise ArgumentError("two layers share a module: it cannot have the rates of both, so set one rate for all")
    for _, module, attribute, p in found:
        setattr(module, attribute, p)
    return {name: p for name, _, _, p in found}


def _layers(model: nn.Module, depth: int) -> tuple[str, Sequence[nn.Module]]:
    """The one outermost list of `depth` layers in a model, and what its layers' names begin with."""
    found: dict[str, Sequence[nn.Module]] = {}
    for name, module in model.named_modules():
        start = f"{name}.".lstrip(".")
        is_list = isinstance(module, nn.ModuleList | nn.Sequential) and len(module) == depth
        if is_list and not any(start.startswith(outer) for outer in found):
            found[start] = list(module.children())
    if len(found) > 1:  # such as a head of as many parts: what has no rates in it is not meant
        found = {start: layers for start, layers in found.items() if all(any(find_rates(one)) for one in layers)}
    if len(found) != 1:
        names = " and ".join(start.rstrip(".") for start in found) or "none"
        raise ArgumentError(
            f"rate has {depth} values, and the lists of {depth} layers with rates in them are: {names}; there must be "
            "one: give a rate for each layer, or the part of the model that holds them"
        )
    return next(iter(found.items()))
