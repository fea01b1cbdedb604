"""Hugging Face's causal language models as networks that can be trained with any recipe; from this machine only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor, nn

from regdemo.errors import ArgumentError
from regdemo.lab.ensemble import Acting
from regdemo.lab.gpts import JUDGED
from regdemo.lab.text import CONTEXT, OFFERS, TextTask, unseen

EXTRA = "pip install 'regdemo[hf]'"
FINETUNED, TESTED = 60, 30  # sequences of CONTEXT + 1 tokens to fine-tune on, and to test on
LEARNING_RATE, STEPS = 5e-5, 24


@dataclass(frozen=True)
class ModelTask(TextTask):
    """Next tokens, by a pretrained module of Hugging Face's; each learner trains a copy of its own, alone."""

    module: Any = None

    def model(self, generators: Sequence[Generator]) -> HuggingFaceModel:
        """The one network: such modules cannot be stacked."""
        return HuggingFaceModel(deepcopy(self.module))

    @property
    def network(self) -> str:
        """What the network is, in words."""
        return (
            f"{type(self.module).__name__} of {sum(p.numel() for p in self.module.parameters()) / 1e6:,.1f}M parameters"
        )


class HuggingFaceModel:
    """A module as one network of a leading dimension of 1: parameters (1, ...), inputs (1, B, T).

    The module stays in eval mode, so its own dropout is off; the recipe acts after each nn.Dropout it calls: at the
    site "residual" within its layers, "embedding" outside them. A module without any (Llama's kind) is acted upon after
    its input embeddings, its attention and its feed-forward nets. Attention weights, dropped by a function of torch's,
    are out of reach.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module.eval().requires_grad_(False)
        named = dict(module.named_parameters())
        self.names = list(named)
        self.parameters = [p.detach()[None].requires_grad_() for p in named.values()]
        embeddings = {id(m.weight) for m in module.modules() if isinstance(m, nn.Embedding)}
        self.weights = [
            own
            for own, p in zip(self.parameters, named.values(), strict=True)
            if p.dim() == 2 and id(p) not in embeddings
        ]
        self._acting: Acting | None = None
        embed: Any = module.get_input_embeddings()  # type: ignore[operator]
        embed.register_forward_hook(self._embedded)
        sites = {name: m for name, m in module.named_modules() if isinstance(m, nn.Dropout)}
        sites = sites or {
            name: m
            for name, m in module.named_modules()
            if isinstance(m, nn.Embedding) or name.rpartition(".")[2] in ("self_attn", "attn", "attention", "mlp")
        }
        layers = {name: re.search(r"\.(\d+)\.", name) for name in sites}
        depth = 1 + max((int(found[1]) for found in layers.values() if found), default=0)
        for name, part in sites.items():
            found = layers[name]
            site, layer = ("residual", int(found[1])) if found else ("embedding", 0)
            part.register_forward_hook(self._hook(site, layer, depth))

    def _embedded(self, _: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        return output if self._acting is None else self._acting.tokens(output[None], inputs[0][None])[0]

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
        """The logits: x (1, B, T) of token ids, logits (1, B, T, vocabulary)."""
        if acting is None and x.shape[1] > JUDGED:
            return torch.cat([self(part) for part in torch.split(x, JUDGED, dim=1)], dim=1)
        weights = {id(w) for w in self.weights}
        used = {
            name: (acting.weight(p) if acting is not None and id(p) in weights else p)[0]
            for name, p in zip(self.names, self.parameters, strict=True)
        }
        self._acting = acting
        try:
            output = torch.func.functional_call(self.module, used, (x[0],), {"use_cache": False})
        finally:
            self._acting = None
        logits: Tensor = output.logits[None]
        return logits


def task(name: str, text: str, title: str) -> ModelTask:
    """The task of fine-tuning a model of this name, or in this folder, on a text.

    Raises ArgumentError if transformers is not installed, the model is not on this machine, or the text is too short.
    """
    try:
        import transformers
    except ImportError:
        raise ArgumentError(f"model = {name!r} needs transformers, which is not installed: {EXTRA}") from None
    transformers.utils.logging.disable_progress_bar()
    try:
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, local_files_only=True)
        module = transformers.AutoModelForCausalLM.from_pretrained(name, local_files_only=True, dtype=torch.float32)
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise ArgumentError(
            f"model = {name!r} cannot be loaded from this machine ({reason}): name a folder with a causal language "
            "model and its tokenizer, or a model in Hugging Face's cache"
        ) from None
    needed = (FINETUNED + TESTED) * (CONTEXT + 1)
    # Few tokens are longer than 40 characters, and no more of a long text is needed than gives enough.
    ids = torch.tensor(tokenizer(text[: 40 * needed], add_special_tokens=False, verbose=False)["input_ids"])
    if len(ids) < needed:
        raise ArgumentError(f"{title} has {len(ids):,} tokens for {name}: the text must have at least {needed:,}")
    cut = ids[:needed].view(-1, CONTEXT + 1)
    x, y = cut[:, :-1], cut[:, 1:]
    new = unseen(x, FINETUNED, title)
    return ModelTask(
        title,
        f"{FINETUNED * (CONTEXT + 1):,} tokens of {title} to fine-tune on, tested on {len(new) * (CONTEXT + 1):,} that "
        f"follow, in stretches of {CONTEXT + 1}; the model, {name}, was pretrained elsewhere.",
        x[:FINETUNED],
        y[:FINETUNED],
        x[new],
        y[new],
        classes=module.get_input_embeddings().num_embeddings,
        batch=10,
        steps=STEPS,
        learning_rate=LEARNING_RATE,
        offers=OFFERS - {"blocks"} | {"pretrained"},
        together=1,
        module=module,
    )
