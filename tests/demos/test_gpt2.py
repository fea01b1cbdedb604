"""The GPT-2 demo: its counts are those of transformers' class, and a site too many or too few breaks a claim."""

import sys

import pytest
import torch
from torch import nn

from helpers import blocks_of, broken
from regdemo.demos.gpt2 import gpt2
from regdemo.errors import ArgumentError
from regdemo.lab import transformer
from regdemo.report import Table


@pytest.mark.parametrize(("depth", "heads"), [(1, 1), (3, 5)])
def test_every_claim_holds_at_any_size(depth, heads):
    assert broken(gpt2(depth=depth, heads=heads)) == []


def test_the_parts_of_its_table_add_up_to_the_whole():
    report = gpt2()
    (parts,) = [block for block in blocks_of(report) if isinstance(block, Table) and block.title.startswith("Where")]
    assert sum(row[1] for row in parts.rows) == report.claims[0].measured == 124_439_808


def test_a_bias_in_the_head_breaks_the_count(monkeypatch):
    class Biased(transformer.GPT):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            self.head = nn.Linear(self.head.in_features, self.head.out_features)

    monkeypatch.setattr(transformer, "GPT", Biased)
    assert "Parameters, the head tied to the embedding" in broken(gpt2())


def test_a_sublayer_without_dropout_breaks_the_count_of_draws(monkeypatch):
    def forward(self, x, *, generator=None):
        x = x + self.residual_dropout(self._attend(self.norm1(x), generator), generator=generator)
        return x + self.contract(nn.functional.gelu(self.expand(self.norm2(x))))

    monkeypatch.setattr(transformer.TransformerBlock, "forward", forward)
    assert "Dropout calls in a training pass" in broken(gpt2(depth=2, heads=1))


def test_without_transformers_hf_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ArgumentError, match=r"^hf = True needs the package transformers: pip install 'regdemo\[hf\]'$"):
        gpt2(hf=True)


def test_without_hf_transformers_is_not_imported(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    assert broken(gpt2()) == []


# Against the real classes


@pytest.fixture
def transformers():
    return pytest.importorskip("transformers")


@pytest.mark.parametrize("size", [(12, 12), (2, 3)])
def test_the_count_is_that_of_transformers_own_class(transformers, size):
    depth, heads = size
    with torch.device("meta"):
        config = transformers.GPT2Config(n_layer=depth, n_head=heads, n_embd=64 * heads)
        real = transformers.GPT2LMHeadModel(config)
    assert gpt2(depth=depth, heads=heads).claims[0].measured == sum(p.numel() for p in real.parameters())


def test_with_hf_every_claim_holds_the_same_twice_and_nothing_is_left_behind(transformers):
    before = torch.get_rng_state()
    first, again = gpt2(hf=True, seed=3), gpt2(hf=True, seed=3)
    assert len(first.claims) > len(gpt2().claims)
    assert broken(first) == []
    assert first == again
    assert torch.equal(torch.get_rng_state(), before)


def test_transformers_has_nothing_to_warn_of(transformers, monkeypatch):
    said = []
    monkeypatch.setattr(transformers.modeling_utils.logger, "warning_once", lambda text, *arguments: said.append(text))
    gpt2(hf=True)
    assert said == []


def test_the_names_in_the_pitfall_are_those_of_transformers_block(transformers):
    from regdemo.pitfalls.guessed_names import _gpt2_block

    config = transformers.GPT2Config(n_layer=1, n_head=2, n_embd=8, vocab_size=11, n_positions=16)
    (real,) = transformers.GPT2Model(config).h

    def names(block):
        return {name for name, part in block.named_modules() if isinstance(part, nn.Dropout)}

    assert names(_gpt2_block()) == names(real)
