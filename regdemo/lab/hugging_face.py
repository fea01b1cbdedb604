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
from regdemo.lab.gpts import EVAL_BATCH
from regdemo.lab.modules import ModuleNetwork
from regdemo.lab.text import CONTEXT, OFFERS, TextTask, unseen

EXTRA = "pip install 'regdemo[hf]'"
FINETUNED, TESTED = 60, 30  # sequences of CONTEXT + 1 tokens to fine-tune on, and to test on
LEARNING_RATE, EPOCHS = 5e-5, 4


@dataclass(frozen=True)
class ModelTask(TextTask):
    """Next tokens, by a pretrained module of Hugging Face's; each run trains a copy of its own, alone."""

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


class HuggingFaceModel(ModuleNetwork):
    """A module of Hugging Face's: inputs (1, B, T) of token ids, outputs (1, B, T, vocabulary).

    The module stays in eval mode, so its own dropout is off; the recipe acts after each nn.Dropout it calls: at the
    site "residual" within its layers, "embedding" outside them. A module without any (Llama's kind) is acted upon after
    its input embeddings, its attention and its feed-forward nets. Attention weights, dropped by a function of torch's,
    are out of reach.
    """

    training_mode = False

    def __init__(self, module: nn.Module) -> None:
        embed: Any = module.get_input_embeddings()  # type: ignore[operator]
        embed.register_forward_hook(self._embedded)
        super().__init__(module)

    def sites(self, module: nn.Module) -> dict[str, nn.Module]:
        """Its dropouts, or the layers that replace them."""
        return super().sites(module) or {
            name: part
            for name, part in module.named_modules()
            if isinstance(part, nn.Embedding) or name.rpartition(".")[2] in ("self_attn", "attn", "attention", "mlp")
        }

    def site(self, name: str) -> str:
        """Within a layer, or outside."""
        return "residual" if re.search(r"\.\d+\.", name) else "embedding"

    def _embedded(self, _: nn.Module, inputs: Any, output: Tensor) -> Tensor:
        return output if self._acting is None else self._acting.tokens(output[None], inputs[0][None])[0]

    def __call__(self, x: Tensor, acting: Acting | None = None) -> Tensor:
        """The logits; without techniques, of a few sequences at a time."""
        if acting is None and x.shape[1] > EVAL_BATCH:
            return torch.cat([self(part) for part in torch.split(x, EVAL_BATCH, dim=1)], dim=1)
        return super().__call__(x, acting)

    def outputs(self, parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        """The logits with these parameters."""
        logits: Tensor = torch.func.functional_call(self.module, parameters, (x,), {"use_cache": False}).logits
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
        batch_size=10,
        epochs=EPOCHS,
        learning_rate=LEARNING_RATE,
        offers=OFFERS - {"blocks"} | {"pretrained"},
        together=1,
        module=module,
    )
