"""Texts as a task: batched GPTs are the module, techniques on tokens keep members apart, files are read."""

import random
from dataclasses import dataclass, replace

import pytest
import torch

from paired import PairedTraining
from regdemo import regularizers
from regdemo.errors import FileError
from regdemo.lab import data, text
from regdemo.lab.choices import fitting
from regdemo.lab.gpts import GPTs
from regdemo.lab.metrics import TEST_LOSS
from regdemo.lab.recipe import Recipe
from regdemo.lab.streams import stream
from regdemo.lab.task import CLASSIFIER
from regdemo.lab.techniques import TECHNIQUES
from regdemo.lab.training import TrainingRun
from regdemo.lab.transformer import GPT

# The techniques that the other tasks have no place for.
ON_TOKENS = [name for name in fitting(text.OFFERS) if name not in fitting(CLASSIFIER)]
ON_PRETRAINED = ["mixout", "l2-sp"]
WORDS = "the cat sat on the mat and the dog lay by the door while rain fell on the roof of the old red barn "


@dataclass(frozen=True)
class Precise(text.TextTask):
    """In float64, so that rounding does not grow."""

    @property
    def dtype(self):
        return torch.float64


@pytest.fixture
def task():
    """10 training and 10 test sequences of 6 characters, and a GPT of width 8."""
    stretches = torch.randint(9, (20, 7), generator=torch.Generator().manual_seed(0))
    x, y = stretches[:, :-1], stretches[:, 1:]
    small = {"batch_size": 5, "width": 8, "heads": 2, "offers": text.OFFERS | {"pretrained"}}
    return Precise("letters", "", x[:10], y[:10], x[10:], y[10:], classes=10, **small)


def letters(n, different):
    chosen = random.Random(0)
    return "".join(chr(1000 + chosen.randrange(different)) for _ in range(n))


def last(task, recipes, members, epochs=1):
    run = PairedTraining(task, recipes, members, seed=5, epochs=epochs)
    (*_, found) = run.run()
    return run, found


def test_batched_gpts_are_the_module_with_their_weights():
    generators = [torch.Generator().manual_seed(seed) for seed in range(3)]
    stacked = GPTs(20, 8, 16, 4, 2, generators, torch.float64)
    with torch.no_grad():
        for parameter in stacked.parameters:
            parameter.add_(torch.randn(parameter.shape, generator=generators[0], dtype=torch.float64), alpha=0.3)
    ids = torch.randint(20, (3, 5, 8), generator=generators[0])
    logits = stacked(ids)
    for member in range(3):
        with torch.random.fork_rng(devices=[]):
            module = GPT(20, 8, 16, 4, 2).double()
        embeddings, others = stacked.parameters[:2], stacked.parameters[2:]
        own = [*(p[member] for p in embeddings), *(p[member].mT for p in others)]  # a Linear keeps (out, in)
        for p, value in zip(module.parameters(), own, strict=True):
            p.data = value.detach().reshape(p.shape)
        torch.testing.assert_close(logits[member], module(ids[member]))


def test_a_long_test_is_judged_in_parts_that_make_the_whole(task, monkeypatch):
    run = TrainingRun(task, Recipe("none"), [0, 1], seed=0)
    ids = task.x.expand(2, *task.x.shape)
    whole = run.eval_forward(ids)
    monkeypatch.setattr("regdemo.lab.gpts.EVAL_BATCH", 7)
    torch.testing.assert_close(run.eval_forward(ids), whole)


def test_dropout_acts_at_every_site_of_a_gpt(task):
    seen = []

    class Watching(type(TECHNIQUES["dropout"]())):
        def activations(self, run, h, site, layer, depth):
            seen.append((site, layer, tuple(h.shape)))
            return h

    TrainingRun(task, Recipe("watching", (Watching(),)), [0, 1], seed=0).step(torch.arange(10).view(2, 5))
    wide = {"embedding": (6, 8), "attention": (2, 6, 6), "residual": (6, 8), "hidden": (6, 32)}
    block = ["attention", "residual", "hidden", "residual"]
    expected = [("embedding", 0), *((site, layer) for layer in (0, 1) for site in block)]
    assert seen == [(site, layer, (2, 5, *wide[site])) for site, layer in expected]


@pytest.mark.parametrize("name", [*ON_TOKENS, *ON_PRETRAINED, "dropout", "r-drop", "label-smoothing", "sam"])
def test_each_member_learns_from_text_what_it_would_alone(task, name):
    recipe = Recipe(name, (TECHNIQUES[name](),))
    _, together = last(task, [recipe], range(3))
    _, alone = last(task, [recipe], [2])
    for metric, values in alone.scores[0].items():
        assert together.scores[0][metric][2] == pytest.approx(values[0], abs=1e-7)


@pytest.mark.parametrize("name", [*ON_TOKENS, *ON_PRETRAINED])
def test_a_technique_on_tokens_parts_its_arm_from_the_one_without(task, name):
    parameter = {"p": 0.6} if hasattr(TECHNIQUES[name](), "p") else {}
    recipes = [Recipe("none"), Recipe(name, (TECHNIQUES[name](**parameter),))]
    _, found = last(replace(task, learning_rate=0.03), recipes, range(2))
    assert found.scores[0][TEST_LOSS] != found.scores[1][TEST_LOSS]


def test_drop_path_drops_whole_sequences_at_rates_that_grow_from_0(task):
    run = TrainingRun(task, Recipe("", (TECHNIQUES["drop-path"](p=0.5),)), [0, 1], seed=0)
    first, second = (run.activations(torch.ones(2, 200, 3, 4), "residual", layer, 2) for layer in (0, 1))
    assert (first == 1).all()
    assert {tuple(row.unique().tolist()) for member in second for row in member} == {(0.0,), (2.0,)}


def test_layer_drop_skips_both_sublayers_of_a_block_or_none_and_does_not_rescale(task):
    run = TrainingRun(task, Recipe("", (TECHNIQUES["layer-drop"](p=0.5),)), range(40), seed=0)
    attention, hidden = (run.activations(torch.ones(40, 5, 6, 8), "residual", 1, 2) for _ in range(2))
    assert torch.equal(attention, hidden)
    assert {tuple(member.unique().tolist()) for member in attention} == {(0.0,), (1.0,)}


def test_neftunes_noise_is_uniform_and_on_the_embeddings_alone(task):
    run = TrainingRun(task, Recipe("", (TECHNIQUES["embedding-noise"](alpha=3.0),)), [0], seed=0)
    noise = run.activations(torch.zeros(1, 500, 6, 8, dtype=torch.float64), "embedding", 0, 2)
    bound = 3 / (6 * 8) ** 0.5
    # 24,000 draws: none within 1% of an end has a probability of 0.995^24000 < 1e-52.
    assert 0.99 * bound < noise.max() <= bound
    assert -bound <= noise.min() < -0.99 * bound
    assert not run.activations(torch.zeros(1, 5, 6, 32), "hidden", 0, 2).any()


def test_attention_dropout_leaves_the_other_sites(task):
    run = TrainingRun(task, Recipe("", (TECHNIQUES["attention-dropout"](p=0.5),)), [0], seed=0)
    assert not run.activations(torch.ones(1, 50, 2, 6, 6), "attention", 0, 2).all()
    assert run.activations(torch.ones(1, 50, 6, 8), "residual", 0, 2).eq(1).all()


def test_token_masking_corrupts_what_is_read_and_not_what_is_predicted(task):
    run = TrainingRun(task, Recipe("", (TECHNIQUES["token-masking"](p=0.5),)), [0, 1], seed=0)
    x, y = (part.expand(2, *part.shape) for part in (task.x, task.y))
    read, predicted = run.techniques[0].batch(run, x, y)
    assert torch.equal(predicted, y)
    changed = read[read != x]
    assert (changed == 9).double().mean() > 0.5
    assert changed.max() == 9


def test_word_dropout_is_the_librarys_at_each_members_own_coins(task):
    run = TrainingRun(task, Recipe("", (TECHNIQUES["word-dropout"](p=0.5),)), [0, 1], seed=3)
    ids = task.x.expand(2, *task.x.shape)
    found = run.tokens(run.model.embed(ids), ids)
    for member in range(2):
        coins = stream(3, member, "word-dropout")
        table = run.model.token[member]
        expected = regularizers.word_dropout(
            task.x, table, 0.5, mask=regularizers.keep_mask((10,), 0.5, generator=coins)
        )
        torch.testing.assert_close(found[member], expected)
    assert not torch.equal(found[0] == 0, found[1] == 0)


def test_word_dropout_leaves_positions(task):
    # At this rate all ten words fall but for a chance of 1e-4, a matter of the seed: what is left is positions alone.
    run = TrainingRun(task, Recipe("", (TECHNIQUES["word-dropout"](p=1 - 1e-5),)), [0], seed=0)
    with torch.no_grad():
        logits = run.forward(task.x[None, :2])
    torch.testing.assert_close(logits[0, 0], logits[0, 1])
    assert not torch.equal(logits[0, 0, 0], logits[0, 0, 1])


def test_spatial_dropout_drops_a_channel_of_a_sequence_at_all_its_positions(task):
    run = TrainingRun(task, Recipe("", (TECHNIQUES["spatial-dropout"](p=0.5),)), [0, 1], seed=0)
    for site in ("embedding", "residual", "hidden"):
        dropped = run.activations(torch.ones(2, 50, 6, 8), site, 0, 2)
        assert dropped.unique().tolist() == [0, 2]
        assert (dropped == dropped[:, :, :1]).all()
        assert not (dropped == dropped[:, :1]).all()
        assert not torch.equal(dropped[0], dropped[1])
    weights = torch.ones(2, 50, 2, 6, 6)
    assert run.activations(weights, "attention", 0, 2) is weights


def test_mixout_at_rate_0_is_no_mixout(task):
    run, _ = last(task, [Recipe("none"), Recipe("mixout", (TECHNIQUES["mixout"](p=0.0),))], range(2))
    for plain, mixed in zip(run.arms[0][0].parameters, run.arms[1][0].parameters, strict=True):
        torch.testing.assert_close(mixed, plain, rtol=1e-9, atol=1e-12)


def test_l2_sp_goes_back_by_its_share_of_the_way_and_weight_decay_by_its_share_of_the_weight(task):
    start = tuple(p[:1].detach() + 0.1 for p in TrainingRun(task, Recipe(""), [0], seed=1).parameters)
    arms = {
        "none": (),
        "l2-sp": (TECHNIQUES["l2-sp"](decay=2.0),),
        "weight-decay": (TECHNIQUES["weight-decay"](weight_decay=2.0),),
    }
    weights = {}
    for name, techniques in arms.items():
        run = TrainingRun(replace(task, start=start), Recipe(name, techniques), [0], seed=0)
        before = [w.detach().clone() for w in run.model.weights]
        run.step(torch.arange(5)[None])
        weights[name] = [w.detach() for w in run.model.weights]
    share = 2.0 * task.learning_rate
    for plain, home, back, decayed in zip(
        weights["none"], before, weights["l2-sp"], weights["weight-decay"], strict=True
    ):
        torch.testing.assert_close(back, plain - share * (plain - home))
        torch.testing.assert_close(decayed, plain - share * home)  # AdamW decays the old weight, before its step


def test_what_needs_pretrained_weights_does_not_fit_a_task_without():
    assert not {"mixout", "l2-sp"} & {*fitting(text.OFFERS), *fitting(CLASSIFIER)}


def test_the_shipped_text_is_a_task_like_the_others():
    task = data.load("text")
    assert (task.x.shape, task.test_x.shape) == ((220, 32), (73, 32))
    assert torch.equal(task.x[:, 1:], task.y[:, :-1])
    assert max(task.y.max(), task.test_y.max()) < task.classes - 1
    assert f"; {task.classes - 1} different characters." in task.origin
    assert task.shared([0], 0) == 0


def test_wrong_labels_of_sequences_are_a_share_of_all_positions():
    task = data.load("text")
    noisy = task.with_label_noise(0.25)
    assert (noisy.training_y != task.y).double().mean().item() == pytest.approx(0.25, abs=1e-4)
    assert torch.equal(noisy.x, task.x)


def test_the_rarest_of_many_symbols_are_one():
    task = text.task(letters(9000, 300), "t", "")
    assert task.classes == 256
    assert (task.x == 255).any()


def test_stretches_of_the_test_that_stand_in_the_training_text_are_left_out():
    body = letters(33 * 100, 90)
    task = text.task(body[: 33 * 90] + body[:330], "t", "")
    assert len(task.x) + len(task.test_x) == 90
    assert task.shared([0], 0) == 0


def test_a_text_that_only_repeats_itself_is_refused():
    with pytest.raises(FileError, match=r"^t ends in what it began with: 0 stretches are left to test on, of 10"):
        text.task("x" * 5000, "t", "")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"too short", r"has 9 characters: the text must have at least 3,300$"),
        (b"\xff\xfe\x00" * 4000, r"isn.t a text in UTF-8 \(invalid start byte at byte 0\)$"),
        (None, r"cannot be read: No such file or directory$"),
    ],
)
def test_a_file_that_is_no_text_or_too_short_is_refused(content, said, tmp_path):
    path = tmp_path / "own.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FileError, match=said):
        text.own(path)


def test_the_users_text_is_a_task(tmp_path):
    path = tmp_path / "own.txt"
    path.write_text("".join(f"{i} {WORDS}" for i in range(60)))
    task = text.own(path)
    assert task.title == "own.txt"
    assert len(task.x) > 3 * len(task.test_x) > 0
