"""The augmentation demo: its claims hold for any text, each wrong edit breaks one, and models rewrite without a net."""

import socket

import pytest
import torch

from helpers import broken
from regdemo import regularizers
from regdemo.demos.augmentation import augmentation
from regdemo.errors import ArgumentError, FileError
from regdemo.lab import rewriting

WORDS = ["<pad>", "</s>", "<unk>", "the", "film", "was", "not", "good", "but", "music", ":", "der", "gut", "nicht"]


@pytest.mark.parametrize("text", ["one", "not good", "a b c", "the film was not good but the music was"])
@pytest.mark.parametrize(("p", "swaps"), [(0.0, 1), (0.3, 7), (0.95, 100)])
def test_every_claim_holds_for_any_text(text, p, swaps):
    assert broken(augmentation(text=text, p=p, swaps=swaps)) == []


def test_deletion_that_may_empty_a_text_breaks_its_claim(monkeypatch):
    def coins_alone(ids, p, *, padding, generator):
        kept = torch.rand(ids.shape, generator=generator) >= p
        front = torch.argsort((~kept).byte(), dim=-1, stable=True)
        return torch.where(kept.gather(-1, front), ids.gather(-1, front), padding)

    monkeypatch.setattr(regularizers, "random_deletion", coins_alone)
    assert "No text is left empty" in broken(augmentation(text="not good", p=0.5))


def test_deletion_that_shuffles_breaks_the_order(monkeypatch):
    right = regularizers.random_deletion
    monkeypatch.setattr(regularizers, "random_deletion", lambda ids, p, **kw: right(ids, p, **kw).flip(-1))
    assert "What is left keeps its order" in broken(augmentation())


def test_copying_one_word_over_another_breaks_the_bag(monkeypatch):
    def overwrite(ids, n, **_):
        return torch.cat([ids[:, 1:2], ids[:, 1:]], dim=1)

    monkeypatch.setattr(regularizers, "random_swap", overwrite)
    assert "A swap leaves the bag of words as it was" in broken(augmentation())


def test_without_a_model_one_line_says_what_it_takes():
    last = augmentation().blocks[-1].text
    assert last.startswith("No model was given")
    assert "pip install 'regdemo[hf]'" in last


def test_a_model_back_alone_is_refused():
    with pytest.raises(ArgumentError, match=r"^back_model = 'de-en' has no model before it"):
        augmentation(back_model="de-en")


def test_without_the_extra_one_line_says_what_to_install(monkeypatch):
    monkeypatch.setattr(rewriting, "find_spec", lambda name: None)
    with pytest.raises(
        ArgumentError, match=r"^model = 'x' needs the package transformers: pip install 'regdemo\[hf\]'$"
    ):
        augmentation(model="x")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Two tiny sequence-to-sequence models with random weights, saved with their tokenizer."""
    transformers, tokenizers = pytest.importorskip("transformers"), pytest.importorskip("tokenizers")
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({w: i for i, w in enumerate(WORDS)}, unk_token="<unk>"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, pad_token="<pad>", eos_token="</s>", unk_token="<unk>"
    )
    sizes = {"vocab_size": len(WORDS), "d_model": 16, "d_kv": 8, "d_ff": 16, "num_layers": 1, "num_heads": 2}
    config = transformers.T5Config(**sizes, decoder_start_token_id=0, pad_token_id=0, eos_token_id=1)
    folders = [str(tmp_path_factory.mktemp(name)) for name in ("there", "back")]
    with torch.random.fork_rng(devices=[]):
        for seed, folder in enumerate(folders):
            torch.manual_seed(seed)
            transformers.T5ForConditionalGeneration(config).save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    return folders


@pytest.fixture(autouse=True)
def no_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(rewriting, "LENGTH", 6)


def by_hand(folder, text, number=1):
    """What the model says, by transformers' own calls."""
    import transformers

    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(folder, local_files_only=True).eval()
    ids = tokenizer(text, return_tensors="pt").input_ids
    outputs = model.generate(ids, num_beams=4, num_return_sequences=number, max_new_tokens=6, do_sample=False)
    return [line.strip() for line in tokenizer.batch_decode(outputs, skip_special_tokens=True)]


def test_back_translation_hands_the_first_models_words_to_the_second(models):
    there, back = models
    table = (
        augmentation(text="the film was not good", model=there, back_model=back).picture
        + augmentation(text="the film was not good", model=there, back_model=back).blocks
    )[-1]
    (foreign,) = by_hand(there, "the film was not good")
    assert table.title == "Back-translation"
    assert table.rows == [["there", foreign], ["and back", *by_hand(back, foreign)]]


def test_one_model_alone_paraphrases_with_its_prompt_and_shows_the_best_first(models):
    table = (
        augmentation(text="the film", model=models[0], prompt="gut : ").picture
        + augmentation(text="the film", model=models[0], prompt="gut : ").blocks
    )[-1]
    assert [line for _, line in table.rows] == by_hand(models[0], "gut : the film", number=3)
    assert [rank for rank, _ in table.rows] == [1, 2, 3]


def test_a_batch_of_texts_is_rewritten_as_each_alone(models):
    texts = ["the film was not good", "music"]
    assert rewriting.rewrite(models[0], texts) == [by_hand(models[0], text) for text in texts]


def test_a_model_says_the_same_each_time_and_draws_nothing(models):
    before = torch.get_rng_state()
    first = augmentation(model=models[0])
    assert augmentation(model=models[0]) == first
    assert torch.equal(torch.get_rng_state(), before)


def test_rewriting_prints_nothing_and_leaves_transformers_logging_as_it_was(models, capfd):
    from transformers.utils import logging

    before = logging.get_verbosity(), logging.is_progress_bar_enabled()
    rewriting.rewrite(models[0], ["film"])
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before
    assert capfd.readouterr() == ("", "")


def test_a_model_that_is_not_there_is_one_line_and_nothing_is_downloaded(tmp_path, models):
    for name in ("nobody/no-such-model", str(tmp_path), "a name too long for a file " * 20):
        with pytest.raises(FileError, match=r"cannot be loaded from this machine .*nothing is downloaded") as error:
            augmentation(model=name)
        assert repr(name) in str(error.value)
        assert "\n" not in str(error.value)
