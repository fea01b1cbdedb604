"""The drop rates that a model holds, in modules, in attributes or in both: found in one walk, set in one call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Literal, get_args

from torch import nn

from regdemo.errors import ArgumentError
from regdemo.regularizers.checks import check_rate

RateKind = Literal["dropout", "path", "layer", "block", "weights", "words", "state"]

# What a class is named for, the most special first: ours, torch's, torchvision's, timm's, and Hugging Face's.
CLASSES: dict[str, RateKind] = {
    "DropPath|StochasticDepth": "path",
    "LayerDrop": "layer",
    "DropBlock": "block",
    "DropConnect|WeightDrop|Mixout": "weights",
    "WordDropout|EmbeddingDropout|PatchDropout": "words",
    "Zoneout": "state",
    "Dropout": "dropout",
}
# Attributes that say what they are, in a class of any name.
ATTRIBUTES: dict[str, RateKind] = {"layerdrop": "layer", "drop_?path": "path", "dropout|pdrop": "dropout"}
BARE = ("p", "prob", "drop_prob", "drop_rate")  # a rate in a class that is named for one, and else anything


class SetRates(dict[str, float]):
    """What `set_dropout` has set: the new rates by their full names; `left_alone` holds what it left as it was."""

    left_alone: dict[str, float]


def find_rates(model: nn.Module, *kinds: RateKind) -> Iterator[tuple[str, nn.Module, str]]:
    """Walk over every drop rate in a model: its full name, the module that holds it, and the attribute.

    A rate is a number from 0 to 1 that a module keeps
    - as `p`, `prob`, `drop_prob` or `drop_rate`, if its class or a base is named for dropping: Dropout in any form,
      DropPath, StochasticDepth, LayerDrop, DropBlock, DropConnect, Mixout, Zoneout. A RandomHorizontalFlip has a `p`,
      too, but drops nothing, and is not found;
    - or under a name with "dropout", "pdrop", "drop_path" or "layerdrop" in it: nn.MultiheadAttention.dropout, Llama's
      attention_dropout.
    A call such as F.dropout(x, 0.1), whose rate is written in the code, leaves nothing to find.
    kinds: "dropout" (of activations and attention weights), "path", "layer", "block", "weights", "words" and "state"
    (Zoneout); all if none is given.

    >>> [name for name, _, _ in find_rates(nn.Sequential(nn.ReLU(), nn.Dropout(0.1)))]
    ['1.p']
    """
    for name, module, attribute, kind in _candidates(model):
        if kind is not None and (not kinds or kind in kinds):
            yield name, module, attribute


def _candidates(model: nn.Module) -> Iterator[tuple[str, nn.Module, str, RateKind | None]]:
    """Every number from 0 to 1 under a name that a drop rate may have, with its kind if it is one."""
    for name, module in model.named_modules():
        for attribute, value in vars(module).items():
            named = _first_match(ATTRIBUTES, attribute)
            if (named or attribute in BARE) and _is_rate(value):
                yield f"{name}.{attribute}".lstrip("."), module, attribute, named or _kind_of_class(type(module))


def _kind_of_class(cls: type[nn.Module]) -> RateKind | None:
    return next((kind for base in cls.__mro__ if (kind := _first_match(CLASSES, base.__name__))), None)


def _first_match(kinds: dict[str, RateKind], name: str) -> RateKind | None:
    return next((kind for pattern, kind in kinds.items() if re.search(pattern, name)), None)


def _is_rate(value: object) -> bool:
    return isinstance(value, float | int) and not isinstance(value, bool) and 0 <= value <= 1


def set_dropout(model: nn.Module, rate: float | Sequence[float], *, kind: RateKind = "dropout") -> SetRates:
    """Set every drop rate of one kind in a model, in place: to one rate, or to a schedule with a rate for each layer.

        rate p:               each rate of that kind that `find_rates` finds becomes p
        schedule p_1 .. p_L:  each of them inside layer l becomes p_l, those outside the layers stay

    The layers are the one outermost nn.ModuleList or nn.Sequential of length L, such as `model.layers`.
    kind: as in `find_rates`; kind="path" sets DropPath and stochastic depth, which a dropout rate leaves alone.
    Returns: what was set, by its full name, as {"layers.0.self_attn.dropout": 0.1, ...}; its attribute `left_alone`
    holds the rates that stayed as they were, and numbers called `p` or the like that aren't a drop rate.
    Hugging Face models are reached too; their `config` keeps the rates it was built with.
    Raises ProbabilityError unless each 0 <= p < 1, ArgumentError if the kind is unknown, if the model or one of the
    layers holds no such rate, or if it is not clear which list holds the layers: a silent no-op is the usual bug. What
    raises has set nothing.

    >>> changed = set_dropout(nn.Sequential(nn.Dropout(0.5), nn.LSTM(2, 2, dropout=0.5, num_layers=2)), 0.2)
    >>> changed, changed.left_alone
    ({'0.p': 0.2, '1.dropout': 0.2}, {})
    """
    if kind not in get_args(RateKind):
        raise ArgumentError(f"kind = {kind!r} is unknown: choose one of {', '.join(get_args(RateKind))}")
    if not isinstance(rate, Sequence):
        check_rate(rate, "rate")
        found = [(*site, rate) for site in find_rates(model, kind)]
        if not found:
            raise ArgumentError(f"{type(model).__name__} {_lacks(model, kind)}")
    else:
        rates = [check_rate(p, f"rate[{layer}]") for layer, p in enumerate(rate)]
        start, layers = _layers(model, len(rates), kind)
        found = []
        for number, (layer, p) in enumerate(zip(layers, rates, strict=True)):
            sites = [
                (f"{start}{number}.{name}", module, attribute, p) for name, module, attribute in find_rates(layer, kind)
            ]
            if not sites:
                raise ArgumentError(f"layer {start}{number} {_lacks(layer, kind)}")
            found += sites
        if len({(module, attribute) for _, module, attribute, _ in found}) < len(found):
            raise ArgumentError("two layers share a module: it cannot have the rates of both, so set one rate for all")
    for _, module, attribute, p in found:
        setattr(module, attribute, p)
    changed = SetRates((name, p) for name, _, _, p in found)
    places = {(module, attribute) for _, module, attribute, _ in found}
    changed.left_alone = {
        name: getattr(module, attribute)
        for name, module, attribute, _ in _candidates(model)
        if (module, attribute) not in places
    }
    return changed


def _lacks(model: nn.Module, kind: RateKind) -> str:
    """What to say of a model without rates of a kind."""
    others = sorted({other for *_, other in _candidates(model) if other is not None})
    hint = f", but rates of kind {', '.join(map(repr, others))}: set these with kind={others[0]!r}" if others else ""
    return f"holds no {'drop' if kind == 'dropout' else kind} rate{hint or ': nothing there could be set'}"


def _layers(model: nn.Module, depth: int, kind: RateKind) -> tuple[str, Sequence[nn.Module]]:
    """The one outermost list of `depth` layers in a model, and what its layers' names begin with."""
    found: dict[str, Sequence[nn.Module]] = {}
    for name, module in model.named_modules():
        start = f"{name}.".lstrip(".")
        is_list = isinstance(module, nn.ModuleList | nn.Sequential) and len(module) == depth
        if is_list and not any(start.startswith(outer) for outer in found):
            found[start] = list(module.children())
    if len(found) > 1:  # such as a head of as many parts: a list without rates in each layer is not meant
        found = {start: layers for start, layers in found.items() if all(any(find_rates(one, kind)) for one in layers)}
    if len(found) != 1:
        names = " and ".join(start.rstrip(".") for start in found) or "none"
        raise ArgumentError(
            f"rate has {depth} values, and the lists of {depth} layers with rates in them are: {names}; there must be "
            "one: give a rate for each layer, or the part of the model that holds them"
        )
    return next(iter(found.items()))
