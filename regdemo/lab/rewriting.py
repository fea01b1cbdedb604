"""Texts rewritten by a sequence-to-sequence model of this machine: for back-translation and paraphrase."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from importlib.util import find_spec

import torch

from regdemo.errors import ArgumentError, FileError

BEAMS, LENGTH = 4, 128
INSTALL = "pip install 'regdemo[hf]'"


def rewrite(model: str, texts: Sequence[str], *, prompt: str = "", number: int = 1) -> list[list[str]]:
    """What a model makes of each text: its `number` best outputs under beam search, so without randomness.

    model: a folder, or a name in Hugging Face's cache, of a model for AutoModelForSeq2SeqLM with its tokenizer, such as
    Helsinki-NLP/opus-mt-en-de. Nothing is downloaded.  prompt: what precedes each text, as T5 needs it.
    Raises ArgumentError if transformers is not installed, FileError if the model cannot be had from this machine.
    """
    if find_spec("transformers") is None:
        raise ArgumentError(f"model = {model!r} needs the package transformers: {INSTALL}")
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer
    from transformers.utils import logging

    verbosity, has_bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Marian's tokenizer recommends a package that it does without
            tokenizer = AutoTokenizer.from_pretrained(model, local_files_only=True)
            network = AutoModelForSeq2SeqLM.from_pretrained(model, local_files_only=True).eval()
        batch = tokenizer([prompt + text for text in texts], return_tensors="pt", padding=True)
        with torch.no_grad():
            outputs = network.generate(
                input_ids=batch["input_ids"],
                attention_mask=batch["attention_mask"],
                do_sample=False,
                num_beams=BEAMS,
                num_return_sequences=number,
                max_new_tokens=LENGTH,
            )
    except (OSError, ValueError, ImportError) as error:
        # Of a name that is not cached transformers says that it could not connect, which it was not to try.
        reason = str(error).strip().partition("\n")[0] if os.path.exists(model) else "it is no folder, and not cached"
        raise FileError(
            f"model {model!r} cannot be loaded from this machine ({reason}); nothing is downloaded here: give "
            "the folder of a sequence-to-sequence model, or fetch it first with `hf download`"
        ) from error
    finally:
        logging.set_verbosity(verbosity)
        if has_bar:
            logging.enable_progress_bar()
    lines = [line.strip() for line in tokenizer.batch_decode(outputs, skip_special_tokens=True)]
    return [lines[start : start + number] for start in range(0, len(lines), number)]


def back_translate(texts: Sequence[str], there: str, back: str) -> list[tuple[str, str]]:
    """Each text in the other language, and that again in its own.

    Sennrich, Haddow and Birch 2016, https://arxiv.org/abs/1511.06709
    """
    foreign = [best for (best,) in rewrite(there, texts)]
    return list(zip(foreign, (best for (best,) in rewrite(back, foreign)), strict=True))
