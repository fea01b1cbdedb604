"""Your own `torch.nn.Module` as a network that can be trained with the techniques: one network at a time."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from regdemo.lab.ensemble import Acting
from regdemo.lab.task import Task

Factory = Callable[[], nn.Module]


class ModuleNetwork:
    """A module as a stack of one network: parameters (1, ...), inputs (1, B, ...), outputs (1, B, ...).

    The recipe acts after each nn.Dropout of the module, in place of it: the module's own dropout is off, and without a
    technique there is none. weights: its parameters of two dimensions or more, embeddings aside.
    training_mode: whether a training pass puts the rest of it in training mode, as batch norm needs.
    """

    training_mode = True

    def __init__(self, module: nn.Module) -> None:
        self.module = module.eval().requires_grad_(False)
        named = dict(module.named_parameters())
        self.names = list(named)
        self.parameters = [p.detach()[None].requires_grad_() for p in named.values()]
        embeddings = {id(m.weight) for m in module.modules() if isinstance(m, nn.Embedding)}
        self.weights = [
            own
            for own, p in zip(self.parameters, named.values(), strict=True)
            if p.dim() >= 2 and id(p) not in embeddings
        ]
        self._acting: Acting | None = None
        sites = self.sites(module)
        layers = [re.search(r"(?:^|\.)(\d+)(?:\.|$)", name) for name in sites]
        depth = 1 + max((int(found[1]) for found in layers if found), default=0)
        for (name, part), found in zip(sites.items(), layers, strict=True):
            part.register_forward_hook(self._hook(self.site(name), int(found[1]) if found else 0, depth))

    def sites(self, module: nn.Module) -> dict[str, nn.Module]:
        """The parts of a module that the recipe acts after."""
        return {name: part for name, part in module.named_modules() if isinstance(part, DROPOUTS)}

    def site(self, name: str) -> str:
        """What techniques call the place of a part."""
        return "hidden"

    def _hook(self, site: str, layer: int, depth: int) -> Any:
        def act(_: nn.Module, inputs: Any, output: Any) -> Any:
            if self._acting is None:
                return output
            # Attention modules return what they add first, and more behind it.
            first, *rest = output if isinstance(output, tuple) else (output,)
            first = self._acting.activations(first[None], site, layer, depth)[0]
            return (first, *rest) if isinstance(output, tuple) else first

        return act

    def __call__(self, x: Tensor, acting: Acting | None = None) -> Tensor:
        """The outputs, (1, B, ...); in eval mode unless something is acting."""
        weights = {id(w) for w in self.weights}
        used = {
            name: (acting.weight(p) if acting is not None and id(p) in weights else p)[0]
            for name, p in zip(self.names, self.parameters, strict=True)
        }
        self._acting = acting
        try:
            if acting is not None and self.training_mode:
                self.module.train()
                for part in self.module.modules():
                    if isinstance(part, DROPOUTS):
                        part.eval()
            return self.outputs(used, x[0])[None]
        finally:
            self.module.eval()
            self._acting = None

    def outputs(self, parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        """What the module computes with these parameters."""
        outputs: Tensor = torch.func.functional_call(self.module, parameters, (x,))
        return outputs


DROPOUTS = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout, nn.FeatureAlphaDropout)


@dataclass(frozen=True)
class ModuleTask(Task):
    """A task whose network is a module of yours. factory: makes a new one, with its initial weights."""

    factory: Factory | None = None

    def model(self, generators: Sequence[Generator]) -> ModuleNetwork:
        """The network, initialized under its own seed; torch's global random state is left as found."""
        assert self.factory is not None
        (generator,) = generators
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(generator.initial_seed())
            return ModuleNetwork(self.factory().to(device=self.device, dtype=self.dtype))

    @property
    def network(self) -> str:
        """What the network is, in words."""
        assert self.factory is not None
        with torch.random.fork_rng(devices=[]):
            module = self.factory()
        return f"{type(module).__name__} of {sum(p.numel() for p in module.parameters()):,} parameters"


def offers(factory: Factory) -> frozenset[str]:
    """What a module has for techniques: a place for dropout where it has nn.Dropout modules."""
    with torch.random.fork_rng(devices=[]):
        module = factory()
    return frozenset({"hidden"} if any(isinstance(part, DROPOUTS) for part in module.modules()) else ())
