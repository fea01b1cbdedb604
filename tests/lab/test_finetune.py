"""Fine-tuning: every run starts from the same pretrained weights, on a GPT of ours and on a model of Hugging Face's."""

import json
import sys
from dataclasses import replace
from functools import partial

import pytest
import torch

from helpers import texts
from paired import PairedTraining
from regdemo.errors import ArgumentError, FileError
from regdemo.lab import finetune as lab
from regdemo.lab import memory
from regdemo.lab.choices import FINETUNING
from regdemo.lab.compare import Stopped
from regdemo.lab.finetune import finetune
from regdemo.lab.recipe import Recipe
from regdemo.lab.techniques import TECHNIQUES
from regdemo.lab.text import TextTask
from regdemo.lab.training import TrainingRun
from regdemo.report import Table


@pytest.fixture(autouse=True)
def small(monkeypatch):
    for name, value in {
        "PRETRAINED": 40,
        "PRETRAINING_EPOCHS": 1,
        "FINETUNED": 20,
        "TESTED": 20,
        "FINETUNING_EPOCHS": 1,
    }.items():
        monkeypatch.setattr(lab, name, value)
    monkeypatch.setattr(lab, "TextTask", partial(TextTask, width=8, heads=2))


def test_without_a_technique_named_all_of_the_arms_are_compared_with_none():
    report = finetune(seeds=8)
    assert report.holds
    assert report.parameters["technique"] == ", ".join(FINETUNING)
    first = next(block for block in report.blocks if isinstance(block, Table))
    assert [row[0].split()[0] for row in first.rows] == ["none", *FINETUNING]
    assert "Before fine-tuning the GPT has a test loss of" in texts(report)


def test_pretraining_and_fine_tuning_are_in_the_precision_asked_for():
    pairs = [lab._tasks(lab.topics()[5000:], "t", "cpu", precision) for precision in ("float32", "bfloat16")]
    assert [(corpus.precision, fresh.precision) for corpus, fresh in pairs] == [("float32",) * 2, ("bfloat16",) * 2]
    one, other = (lab._pretrained(corpus, 0, lambda done, total: None) for corpus, _ in pairs)
    assert not torch.equal(one[0], other[0])
    assert finetune(["dropout"], precision="bfloat16").parameters["precision"] == "bfloat16"


def test_the_same_seed_gives_the_same_report_and_leaves_the_global_generator():
    before = torch.get_rng_state()
    first, second = (finetune(["mixout"], seed=3) for _ in range(2))
    assert first == second
    assert torch.equal(torch.get_rng_state(), before)


def test_every_network_of_every_arm_starts_from_the_pretrained_weights():
    corpus, fresh = lab._tasks(lab.topics()[5000:], "t", "cpu", "float32")
    task = replace(fresh, start=lab._pretrained(corpus, 0, lambda done, total: None))
    run = PairedTraining(task, [Recipe("none"), Recipe("m", (TECHNIQUES["mixout"](),))], range(2), seed=0, epochs=1)
    untrained = TrainingRun(fresh, Recipe("none"), [0], seed=0)
    for place, start in enumerate(task.start):
        assert all(torch.equal(own, start[0]) for (arm,) in run.arms for own in arm.parameters[place])
    assert not torch.equal(untrained.parameters[0][0], task.start[0][0])


def test_the_users_text_is_what_is_fine_tuned_on(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("".join(f"{i} apples and {i * i % 97} pears, " for i in range(200)))
    report = finetune(["dropout"], data=path)
    assert report.title.startswith("Fine-tuning on own.txt, 8 paired seeds")
    assert report.parameters["data"] == "own.txt"


def test_a_text_that_is_too_short_is_refused_before_pretraining(tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "_pretrained", None)
    path = tmp_path / "own.txt"
    path.write_text("short")
    with pytest.raises(FileError, match=r"own.txt has 5 characters: the text must have at least 1,320$"):
        finetune(data=path)


def test_more_seeds_than_fit_in_memory_are_refused_before_pretraining(monkeypatch):
    monkeypatch.setattr(lab, "_pretrained", None)
    monkeypatch.setattr(memory, "available_bytes", lambda device: 1e6)
    with pytest.raises(ArgumentError, match=r"seeds = 500 would take about .* GB of memory in 2 arms, and 0.0 GB are"):
        finetune(["mixout"], seeds=500)


def test_a_text_that_ends_in_what_it_began_with_is_refused_before_pretraining(tmp_path, monkeypatch):
    monkeypatch.setattr(lab, "_pretrained", None)
    path = tmp_path / "same.txt"
    path.write_text("x" * 8000)
    with pytest.raises(FileError, match=r"same.txt ends in what it began with: 0 stretches"):
        finetune(data=path)


def test_a_technique_that_does_not_fit_is_refused_before_pretraining(monkeypatch):
    monkeypatch.setattr(lab, "_pretrained", None)
    with pytest.raises(ArgumentError, match="mixup does not fit the task fine-tuning: those that fit are dropout"):
        finetune(["mixup"])


@pytest.mark.parametrize("value", [{"seeds": 3}, {"epochs": 0}, {"seed": -1}, {"p": 1.0}])
def test_a_value_that_is_not_allowed_is_refused_before_pretraining(monkeypatch, value):
    monkeypatch.setattr(lab, "_pretrained", None)
    ((name, given),) = value.items()
    with pytest.raises(ArgumentError, match=f"{name} = {given} is not allowed"):
        finetune(["dropout"], **value)


def test_ctrl_c_keeps_what_is_evaluated():
    def press(done, total):
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(Stopped) as stop:
        finetune(["dropout"], epochs=4, progress=press)
    assert stop.value.report.title.startswith(
        "Fine-tuning on a later part of Python's help texts, 8 paired seeds (stopped at"
    )


def test_progress_goes_from_the_pretraining_on_to_the_end_of_the_whole(monkeypatch):
    monkeypatch.setattr(lab, "PRETRAINING_EPOCHS", 2)
    told = []
    finetune(["dropout"], epochs=3, progress=lambda done, total: told.append((done, total)))
    assert {total for _, total in told} == {2 * 40 + 2 * 8 * 3 * 20}
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[:2] == [(40, 1040), (80, 1040)]
    assert told[-1] == (1040, 1040)


def test_ctrl_c_while_pretraining_has_nothing_to_show():
    def press(done, total):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt) as stop:
        finetune(["dropout"], progress=press)
    assert not isinstance(stop.value, Stopped)


# A model of Hugging Face's


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A GPT-2 of width 8, and a tokenizer with a token for each word, saved to disk."""
    transformers, tokenizers = pytest.importorskip("transformers"), pytest.importorskip("tokenizers")
    place = tmp_path_factory.mktemp("model")
    words = {word: i for i, word in enumerate(["?", *(f"w{i}" for i in range(40))])}
    plain = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="?"))
    plain.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    transformers.PreTrainedTokenizerFast(tokenizer_object=plain, unk_token="?").save_pretrained(place)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = transformers.GPT2Config(vocab_size=41, n_positions=32, n_embd=8, n_layer=2, n_head=2)
        transformers.GPT2LMHeadModel(config).save_pretrained(place)
    return str(place)


@pytest.fixture
def words(monkeypatch, tmp_path):
    """A text of 20 stretches to learn from and 20 to test on."""
    from regdemo.lab import hugging_face

    monkeypatch.setattr(hugging_face, "FINETUNED", 20)
    monkeypatch.setattr(hugging_face, "TESTED", 20)
    monkeypatch.setattr(hugging_face, "EPOCHS", 1)
    path = tmp_path / "words.txt"
    path.write_text(" ".join(f"w{i * i % 37}" if i % 3 else f"w{i % 40}" for i in range(33 * 41)))
    return path


def hugging_face_task(folder, words):
    from regdemo.lab.hugging_face import task

    return task(folder, words.read_text(), "words")


def test_a_hugging_face_model_is_fine_tuned_by_its_folder(folder, words):
    report = finetune(["mixout", "embedding-noise", "word-dropout", "spatial-dropout"], model=folder, data=words)
    assert report.holds
    assert "GPT2LMHeadModel" in texts(report)
    assert json.dumps(report.parameters)


def test_a_hugging_face_model_is_fine_tuned_in_the_precision_asked_for(folder, words):
    first, second = (
        finetune(["dropout"], model=folder, data=words, precision=precision) for precision in ("float32", "bfloat16")
    )
    assert second.holds
    assert list(second.parameters) == ["technique", "data", "precision", "model", "seeds", "epochs", "seed"]
    assert second.blocks != first.blocks


def test_outside_training_its_logits_are_the_models_own(folder, words):
    from transformers import AutoModelForCausalLM

    task = hugging_face_task(folder, words)
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True).eval()
    with torch.no_grad():
        expected = model(task.x).logits
    torch.testing.assert_close(TrainingRun(task, Recipe(""), [0], seed=0).eval_forward(task.x[None])[0], expected)


def test_a_recipe_acts_at_every_dropout_of_the_model(folder, words):
    seen = []

    class Watching(TECHNIQUES["dropout"]):
        def activations(self, run, h, site, layer, depth):
            seen.append((site, layer, depth))
            return h

    task = hugging_face_task(folder, words)
    TrainingRun(task, Recipe("watching", (Watching(),)), [0], seed=0).step(torch.arange(4)[None])
    assert seen == [("embedding", 0, 2), *[("residual", layer, 2) for layer in (0, 0, 1, 1)]]


def test_word_dropout_reaches_the_models_embedding_and_not_the_head_that_shares_its_table(folder, words):
    task = hugging_face_task(folder, words)
    run = TrainingRun(task, Recipe("", (TECHNIQUES["word-dropout"](p=1 - 1e-5),)), [0], seed=0)
    with torch.no_grad():
        logits = run.forward(task.x[None, :2])
    torch.testing.assert_close(logits[0, 0], logits[0, 1])  # of all words gone, but for a chance of 4e-4 by this seed
    assert logits[0, 0, 0].std() > 0


def test_its_own_dropout_is_off_so_that_runs_repeat(folder, words):
    task = hugging_face_task(folder, words)
    first, second = (TrainingRun(task, Recipe("none"), [0], seed=0) for _ in range(2))
    for run in (first, second):
        run.epoch()
    assert all(map(torch.equal, first.parameters, second.parameters))
    assert not torch.equal(first.parameters[0][0], dict(task.module.named_parameters())[first.model.names[0]])


def test_mixout_reaches_the_matrices_of_its_layers_and_not_its_embeddings(folder, words):
    model = TrainingRun(hugging_face_task(folder, words), Recipe(""), [0], seed=0).model
    names = [name for name, p in zip(model.names, model.parameters, strict=True) if any(p is w for w in model.weights)]
    parts = ("attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj")
    assert names == [f"transformer.h.{layer}.{part}.weight" for layer in (0, 1) for part in parts]


def test_a_model_without_dropout_modules_is_acted_upon_at_its_sublayers(words):
    from transformers import LlamaConfig, LlamaForCausalLM

    from regdemo.lab.hugging_face import HuggingFaceModel

    config = LlamaConfig(vocab_size=41, hidden_size=8, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2)
    with torch.random.fork_rng(devices=[]):
        model = HuggingFaceModel(LlamaForCausalLM(config))

    class Doubling:
        def __init__(self):
            self.seen = []

        def weight(self, weight):
            return weight

        def tokens(self, h, ids):
            return h

        def activations(self, h, site, layer, depth):
            self.seen.append((site, layer, depth))
            return 2 * h

    ids = torch.arange(12).view(1, 2, 6)
    doubling = Doubling()
    assert not torch.equal(model(ids, doubling), model(ids))
    assert doubling.seen == [("embedding", 0, 2), *[("residual", layer, 2) for layer in (0, 0, 1, 1)]]


def test_a_model_that_is_not_on_this_machine_is_refused(tmp_path, words):
    pytest.importorskip("transformers")
    with pytest.raises(
        ArgumentError, match=r"^model = '.*nowhere' cannot be loaded from this machine .* name a folder"
    ):
        finetune(model=str(tmp_path / "nowhere"), data=words)


def test_without_transformers_the_extra_is_named(monkeypatch, words):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(
        ArgumentError, match=r"needs transformers, which is not installed: pip install 'regdemo\[hf\]'$"
    ):
        finetune(model="gpt2", data=words)


def test_a_text_with_too_few_tokens_is_refused(folder, words):
    words.write_text("x" * 5000)
    with pytest.raises(ArgumentError, match=r"has 1 tokens for .*: the text must have at least 1,320$"):
        finetune(model=folder, data=words)
