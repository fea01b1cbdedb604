"""The small GPT against torch's own encoder layer, and against its formula with every mask drawn by hand."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from regdemo.errors import ArgumentError, ProbabilityError
from regdemo.lab.transformer import GPT, DropoutRates, TransformerBlock
from regdemo.regularizers import keep_mask

WIDTH, HEADS, LENGTH = 12, 3, 5


@pytest.fixture(autouse=True)
def _fixed_weights():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def gpt(**rates: float) -> GPT:
    return GPT(vocabulary=11, context=LENGTH, width=WIDTH, heads=HEADS, depth=2, rates=DropoutRates(**rates))


def tokens(batch: int = 3) -> torch.Tensor:
    return torch.randint(11, (batch, LENGTH))


def generator(seed: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_a_block_agrees_with_torchs_encoder_layer_on_the_same_weights():
    block = TransformerBlock(WIDTH, HEADS, DropoutRates()).eval()
    layer = nn.TransformerEncoderLayer(
        WIDTH, HEADS, dim_feedforward=4 * WIDTH, activation="gelu", batch_first=True, norm_first=True
    )
    names = {
        "norm1": "norm1",
        "norm2": "norm2",
        "project": "self_attn.out_proj",
        "expand": "linear1",
        "contract": "linear2",
    }
    state = {f"{theirs}.{k}": v for ours, theirs in names.items() for k, v in getattr(block, ours).state_dict().items()}
    state |= {f"self_attn.in_proj_{k}": v for k, v in block.query_key_value.state_dict().items()}
    layer.load_state_dict(state)
    layer.train()  # in eval torch takes a fused path that wants other conditions; its rates are set to 0 instead
    for module in (layer.dropout, layer.dropout1, layer.dropout2):
        module.p = 0.0
    layer.self_attn.dropout = 0.0
    x = torch.randn(2, LENGTH, WIDTH)
    mask = nn.Transformer.generate_square_subsequent_mask(LENGTH)
    torch.testing.assert_close(block(x), layer(x, src_mask=mask, is_causal=True))


def by_hand(model: GPT, ids: torch.Tensor, rates: dict[str, float], source: torch.Generator) -> torch.Tensor:
    """The formula in the docstrings, written once more, with the masks drawn here in the order of the forward pass."""

    def drop(x: torch.Tensor, site: str) -> torch.Tensor:
        return x * keep_mask(x.shape, rates[site], generator=source) / (1 - rates[site])

    x = drop(model.token.weight[ids] + model.position.weight[: ids.shape[1]], "embedding")
    future = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).triu(1)
    for block in model.blocks:
        query, key, value = block.query_key_value(block.norm1(x)).chunk(3, dim=-1)
        split = [t.view(*ids.shape, HEADS, WIDTH // HEADS).transpose(1, 2) for t in (query, key, value)]
        scores = split[0] @ split[1].mT / (WIDTH // HEADS) ** 0.5
        weights = drop(scores.masked_fill(future, float("-inf")).softmax(-1), "attention")
        attended = (weights @ split[2]).transpose(1, 2).reshape(*ids.shape, WIDTH)
        x = x + drop(block.project(attended), "residual")
        hidden = drop(F.gelu(block.expand(block.norm2(x))), "feed_forward")
        x = x + drop(block.contract(hidden), "residual")
    return model.head(model.norm(x))


def test_each_rate_acts_at_its_own_site_in_training():
    rates = {"embedding": 0.1, "attention": 0.2, "residual": 0.3, "feed_forward": 0.4}
    model, ids = gpt(**rates), tokens()
    torch.testing.assert_close(model(ids, generator=generator()), by_hand(model, ids, rates, generator()))


@pytest.mark.parametrize("site", ["embedding", "attention", "residual", "feed_forward"])
def test_one_site_alone_makes_the_logits_random(site):
    model, ids = gpt(**{site: 0.5}), tokens()
    assert not torch.equal(model(ids, generator=generator(1)), model(ids, generator=generator(2)))


def test_with_every_rate_zero_two_training_passes_are_equal():
    model, ids = gpt(), tokens()
    assert torch.equal(model(ids, generator=generator(1)), model(ids, generator=generator(2)))


def test_in_eval_no_rate_acts():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        plain = gpt()
    torch.manual_seed(3)
    model = gpt(embedding=0.5, attention=0.5, residual=0.5, feed_forward=0.5).eval()
    ids = tokens()
    assert torch.equal(model(ids, generator=generator()), plain(ids))


def test_the_same_generator_seed_gives_the_same_logits_whatever_the_global_state():
    model, ids = gpt(residual=0.5, attention=0.5), tokens()
    first = model(ids, generator=generator())
    torch.manual_seed(99)
    assert torch.equal(first, model(ids, generator=generator()))


def test_a_later_token_changes_no_earlier_logit():
    model, ids = gpt(), tokens()
    changed = ids.clone()
    changed[:, 3] = (ids[:, 3] + 1) % 11
    before, after = model(ids), model(changed)
    assert torch.equal(before[:, :3], after[:, :3])
    assert not torch.equal(before[:, 3:], after[:, 3:])


def test_every_parameter_gets_a_gradient():
    model = gpt(embedding=0.1, attention=0.1, residual=0.1, feed_forward=0.1)
    F.cross_entropy(model(tokens(), generator=generator()).flatten(0, 1), tokens().flatten()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ArgumentError, match="width = 12 cannot be split over heads = 5"):
        TransformerBlock(12, 5, DropoutRates())


def test_a_rate_of_one_is_refused():
    with pytest.raises(ProbabilityError, match="p = 1"):
        gpt(attention=1.0)


def test_more_tokens_than_the_context_holds_are_refused():
    with pytest.raises(ArgumentError, match="tokens has 6 positions: the context holds 5"):
        gpt()(torch.zeros(1, 6, dtype=torch.long))
