"""A recipe: what acts at each site of a training step, one technique after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, get_args, get_type_hints

from regdemo.errors import ArgumentError
from regdemo.parameters import Parameter

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

    from regdemo.lab.streams import Draws
    from regdemo.lab.training import Learner


@dataclass(eq=False)
class Technique:
    """Nothing at any site: each technique overrides the sites at which it acts, and only those.

    Its fields are its parameters, `Annotated[type, Parameter]` with a default.
    Everything is batched: a tensor's first dimension is the member, one of S networks trained together, and what is
    done to one member must not depend on the others.

    SITE: where it acts, in a word.  NEEDS: what a task must offer for it to make sense, as its `offers` say.
    HOLDS: what it takes for itself, so that two that hold the same cannot be combined.
    """

    NAME: ClassVar[str]
    SITE: ClassVar[str]
    NEEDS: ClassVar[frozenset[str]] = frozenset()
    HOLDS: ClassVar[str] = ""

    def begin(self, learner: Learner) -> None:
        """Before the first step. `draws` are this technique's own random numbers, whatever else is in the recipe."""
        self.draws: Draws = learner.draws(self.NAME)

    def batch(self, learner: Learner, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The examples to train on, (S, B, ...), and their labels or soft targets."""
        return x, y

    def weight(self, learner: Learner, weight: Tensor) -> Tensor:
        """A weight matrix, (S, in, out), as the training pass uses it."""
        return weight

    def tokens(self, learner: Learner, h: Tensor, ids: Tensor) -> Tensor:
        """The embeddings of a training pass's tokens, (S, B, T, width), before positions are added; ids (S, B, T)."""
        return h

    def activations(self, learner: Learner, h: Tensor, site: str, layer: int, depth: int) -> Tensor:
        """What leaves a site of the model in training, such as "hidden", in layer 0 to depth - 1."""
        return h

    def linear(self, learner: Learner, inputs: Tensor, outputs: Tensor) -> None:
        """Told what entered and left each linear layer of a training pass."""

    def penalty(self, learner: Learner, x: Tensor, y: Tensor, outputs: Tensor) -> Tensor | None:
        """What is added to each member's loss: (S,)."""
        return None

    def gradient(self, learner: Learner, x: Tensor, y: Tensor, compute: Callable[[], None]) -> None:
        """Leave a gradient in each parameter; `compute` leaves the plain one."""
        compute()

    def clip(self, learner: Learner) -> None:
        """Change the gradients before the optimizer sees them."""

    def optimizer(self, base: Optimizer) -> Optimizer:
        """The optimizer, set or wrapped. The first parameter group holds the weights, the second the biases."""
        return base

    def stepped(self, learner: Learner) -> None:
        """After each step of the optimizer."""

    def epoch_ended(self, learner: Learner) -> None:
        """After each epoch."""

    def evaluated(self, learner: Learner, parameters: list[Tensor]) -> list[Tensor]:
        """The parameters that are judged, given those that would be."""
        return parameters

    def predict(self, learner: Learner, x: Tensor) -> Tensor:
        """The logits that the network is judged by; a pass in eval mode."""
        return learner.judge(x)

    def measures(self) -> dict[str, Callable[[Learner], Tensor]]:
        """What else to measure in every arm when this technique is in one of them: names, and a value a member."""
        return {}


def parameters(technique: type[Technique]) -> dict[str, tuple[type, Any, Parameter]]:
    """A technique's parameters: their type, default and range, by name."""
    hints = get_type_hints(technique, include_extras=True)
    found = {}
    for field in fields(technique):
        kind, *metadata = get_args(hints[field.name])
        found[field.name] = (kind, field.default, next(item for item in metadata if isinstance(item, Parameter)))
    return found


@dataclass(frozen=True)
class Recipe:
    """The techniques of one arm, in the order in which they act where two act at the same site."""

    name: str
    techniques: tuple[Technique, ...] = ()

    def __post_init__(self) -> None:
        """Refuse two that hold the same, or one twice."""
        held: dict[str, str] = {}
        for technique in self.techniques:
            for thing in (technique.NAME, technique.HOLDS):
                if thing and thing in held:
                    what = "twice" if thing == technique.NAME else f"and {technique.NAME}: both set {thing}"
                    raise ArgumentError(f"one network cannot have {held[thing]} {what}; leave one of them out")
            held |= {technique.HOLDS: technique.NAME, technique.NAME: technique.NAME}

    @property
    def sites(self) -> dict[str, str]:
        """What acts at each site."""
        return {technique.SITE: describe(technique) for technique in self.techniques}

    def begin(self, learner: Learner) -> list[Technique]:
        """The learner's own copy of each technique, which may keep a state."""
        own = [replace(technique) for technique in self.techniques]
        for technique in own:
            technique.begin(learner)
        return own


def describe(technique: Technique) -> str:
    """A technique with its first parameter, and any other that is not at its default.

    >>> from regdemo.lab.techniques import TECHNIQUES
    >>> describe(TECHNIQUES["dropout"](p=0.5))
    'dropout 0.5'
    """
    (first, *rest), values = [*parameters(type(technique)), ""], vars(technique)
    others = [f"{name.replace('_', ' ')} {values[name]:g}" for name in rest if name and _differs(technique, name)]
    return ", ".join([f"{technique.NAME} {values[first]:g}" if first else technique.NAME, *others])


def _differs(technique: Technique, name: str) -> bool:
    return bool(vars(technique)[name] != parameters(type(technique))[name][1])


def acting(techniques: Sequence[Technique], site: str) -> list[Technique]:
    """Those that override a site, so that the others cost nothing there."""
    return [t for t in techniques if getattr(type(t), site) is not getattr(Technique, site)]
