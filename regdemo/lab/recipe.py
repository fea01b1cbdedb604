"""A recipe: what acts at each site of a training step, one technique after the other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, get_args, get_type_hints

from regdemo.errors import ArgumentError
from regdemo.parameters import Parameter

if TYPE_CHECKING:
    from torch import Tensor
    from torch.optim import Optimizer

    from regdemo.lab.ensemble import Acting, Model
    from regdemo.lab.streams import RngStreams
    from regdemo.lab.task import Examples, Task


class RunProtocol(Protocol):
    """What a technique may ask of the training that it acts in; `training.TrainingRun` is it."""

    task: Task
    recipe: Recipe
    members: list[int]
    steps: int
    step_count: int
    model: Model
    parameters: list[Tensor]
    examples: Examples
    measures: dict[str, Callable[[Any], Tensor]]

    def streams(self, use: str) -> RngStreams:
        """The members' random numbers for one use."""
        ...

    def after(self, part: float) -> int:
        """The step at which this part of the training is over."""
        ...

    def forward(self, x: Tensor) -> Tensor:
        """A training pass."""
        ...

    def eval_forward(self, x: Tensor) -> Tensor:
        """A pass in eval mode."""
        ...

    def apply(self, x: Tensor, acting: Acting | None) -> Tensor:
        """A pass with something acting."""
        ...

    def predict(self, x: Tensor) -> Tensor:
        """What the members are judged by."""
        ...

    def losses(self, outputs: Tensor, y: Tensor) -> Tensor:
        """Each example's loss."""
        ...

    def soft(self, y: Tensor) -> Tensor:
        """Labels as one-hot rows."""
        ...

    def backward(self, losses: Tensor) -> None:
        """Leave the gradient of the members' losses in the parameters."""
        ...

    @property
    def gradients(self) -> list[Tensor]:
        """What `backward` has left."""
        ...

    def gradient_norms(self) -> Tensor:
        """The norm of each member's gradient."""
        ...

    def validation_loss(self, parameters: Sequence[Tensor]) -> Tensor:
        """The mean loss on the members' validation examples."""
        ...


@dataclass(eq=False)
class Technique:
    """Nothing at any site: each technique overrides the sites at which it acts, and only those.

    Its fields are its parameters, `Annotated[type, Parameter]` with a default.
    Everything is batched: a tensor's first dimension is the member, one of S networks trained together, and what is
    done to one member must not depend on the others.

    requires: what a task must offer for it to make sense, as its `offers` say.
    exclusive: what it takes for itself, so that two that hold the same cannot be combined.
    """

    NAME: ClassVar[str]
    requires: ClassVar[frozenset[str]] = frozenset()
    exclusive: ClassVar[str] = ""

    def begin(self, run: RunProtocol) -> None:
        """Before the first step. `streams` are this technique's own random numbers, unchanged by other techniques."""
        self.streams: RngStreams = run.streams(self.NAME)

    def batch(self, run: RunProtocol, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """The examples to train on, (S, B, ...), and their labels or soft targets."""
        return x, y

    def weight(self, run: RunProtocol, weight: Tensor) -> Tensor:
        """A weight matrix, (S, in, out), as the training pass uses it."""
        return weight

    def tokens(self, run: RunProtocol, h: Tensor, ids: Tensor) -> Tensor:
        """The embeddings of a training pass's tokens, (S, B, T, width), before positions are added; ids (S, B, T)."""
        return h

    def activations(self, run: RunProtocol, h: Tensor, site: str, layer: int, depth: int) -> Tensor:
        """What leaves a site of the model in training, such as "hidden", in layer 0 to depth - 1."""
        return h

    def linear(self, run: RunProtocol, inputs: Tensor, outputs: Tensor) -> None:
        """Called with what entered and left each linear layer of a training pass."""

    def penalty(self, run: RunProtocol, x: Tensor, y: Tensor, outputs: Tensor) -> Tensor | None:
        """What is added to each member's loss: (S,)."""
        return None

    def gradient(self, run: RunProtocol, x: Tensor, y: Tensor, compute: Callable[[], None]) -> None:
        """Leave a gradient in each parameter; `compute` leaves the plain one."""
        compute()

    def clip(self, run: RunProtocol) -> None:
        """Change the gradients before the optimizer sees them."""

    def optimizer(self, base: Optimizer) -> Optimizer:
        """The optimizer, set or wrapped. The first parameter group holds the weights, the second the biases."""
        return base

    def stepped(self, run: RunProtocol) -> None:
        """After each step of the optimizer."""

    def epoch_ended(self, run: RunProtocol) -> None:
        """After each epoch."""

    def evaluated(self, run: RunProtocol, parameters: list[Tensor]) -> list[Tensor]:
        """The parameters that are judged, given those that would be."""
        return parameters

    def predict(self, run: RunProtocol, x: Tensor) -> Tensor:
        """The logits that the network is judged by; a pass in eval mode."""
        return run.eval_forward(x)

    def measures(self) -> dict[str, Callable[[RunProtocol], Tensor]]:
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
    """What defines an arm: its techniques, in the order in which they act where two act at the same site.

    An experiment's `arms` are recipes; the networks that are trained with one are the members of the arm.
    """

    name: str
    techniques: tuple[Technique, ...] = ()

    def __post_init__(self) -> None:
        """Refuse two that hold the same, or one twice."""
        held: dict[str, str] = {}
        for technique in self.techniques:
            for thing in (technique.NAME, technique.exclusive):
                if thing and thing in held:
                    what = "twice" if thing == technique.NAME else f"and {technique.NAME}: both set {thing}"
                    raise ArgumentError(f"one network cannot have {held[thing]} {what}; leave one of them out")
            held |= {technique.exclusive: technique.NAME, technique.NAME: technique.NAME}

    @property
    def validates(self) -> bool:
        """Whether one of the techniques holds out some of the training examples."""
        return any("validation" in technique.requires for technique in self.techniques)

    def begin(self, run: RunProtocol) -> list[Technique]:
        """The run's own copy of each technique, which may keep a state."""
        own = [replace(technique) for technique in self.techniques]
        for technique in own:
            technique.begin(run)
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


def per_member(values: Tensor, like: Tensor) -> Tensor:
    """A value a member, (S,), with as many dimensions as a tensor that it is multiplied with."""
    return values.view(-1, *(1,) * (like.dim() - 1))


def overridden(technique: type[Technique]) -> set[str]:
    """The sites at which a technique acts."""
    return {
        name
        for name, method in vars(Technique).items()
        if callable(method) and not name.startswith("_") and getattr(technique, name) is not method
    }


def overriding(techniques: Sequence[Technique], site: str) -> list[Technique]:
    """Those that override a site, so that the others cost nothing there."""
    return [t for t in techniques if getattr(type(t), site) is not getattr(Technique, site)]
