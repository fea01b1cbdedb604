import numpy as np
import pytest
import torch
import torch.nn.functional as F

from helpers import seeded
from regdemo.errors import ArgumentError
from regdemo.regularizers import AttentionDropout, attention_dropout, attention_weights, keep_mask

P = 0.3
# query, key, value: one sequence; a batch; batch and heads; keys shared by all heads; more queries than keys and fewer.
SHAPES = [
    ((5, 4), (5, 4), (5, 4)),
    ((2, 5, 4), (2, 5, 4), (2, 5, 3)),
    ((2, 3, 5, 4), (2, 3, 5, 4), (2, 3, 5, 4)),
    ((2, 3, 5, 4), (2, 1, 6, 4), (2, 1, 6, 2)),
    ((2, 3, 7, 4), (2, 3, 4, 4), (2, 3, 4, 4)),
    ((2, 3, 1, 4), (2, 3, 6, 4), (2, 3, 6, 4)),
]


def draw(*shapes):
    generator = seeded()
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def softmax_by_numpy(query, key, causal):
    scores = query.numpy() @ np.swapaxes(key.numpy(), -1, -2) / np.sqrt(query.shape[-1])
    scores = np.where(np.tri(*scores.shape[-2:], dtype=bool) | (not causal), scores, -np.inf)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("is_causal", [False, True])
def test_without_dropout_it_is_torchs_attention(shapes, is_causal):
    query, key, value = draw(*shapes)
    expected = F.scaled_dot_product_attention(query, key, value, is_causal=is_causal)
    torch.testing.assert_close(attention_dropout(query, key, value, 0, is_causal=is_causal), expected)
    in_eval = attention_dropout(query, key, value, P, is_causal=is_causal, training=False)
    torch.testing.assert_close(in_eval, expected)


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("is_causal", [False, True])
def test_the_weights_are_the_softmax_in_numpy(shapes, is_causal):
    query, key, _ = draw(*shapes)
    expected = softmax_by_numpy(query, key, is_causal)
    np.testing.assert_allclose(attention_weights(query, key, is_causal=is_causal), expected, rtol=1e-12)


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("is_causal", [False, True])
def test_a_mask_drops_weights_after_the_softmax_and_nothing_is_renormalised(shapes, is_causal):
    query, key, value = draw(*shapes)
    weights = softmax_by_numpy(query, key, is_causal)
    mask = keep_mask(weights.shape, P, generator=seeded())
    expected = (weights * mask.numpy() / (1 - P)) @ value.numpy()
    y = attention_dropout(query, key, value, P, is_causal=is_causal, mask=mask)
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-14)


def test_with_the_weights_that_torch_dropped_it_returns_what_torch_returned():
    # With the identity as values, the output is the dropped weights themselves.
    query, key = draw((2, 3, 6, 4), (2, 3, 8, 4))
    identity = torch.eye(8, dtype=torch.float64).expand(2, 3, 8, 8)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        theirs = F.scaled_dot_product_attention(query, key, identity, dropout_p=P)
    torch.testing.assert_close(attention_dropout(query, key, identity, P, mask=theirs != 0), theirs)
    assert (theirs == 0).any()


def test_every_head_query_and_key_has_a_coin_of_its_own():
    query, key, value = draw((2, 3, 5, 4), (2, 3, 6, 4), (2, 3, 6, 4))
    expected = attention_dropout(query, key, value, P, mask=keep_mask((2, 3, 5, 6), P, generator=seeded(1)))
    assert torch.equal(attention_dropout(query, key, value, P, generator=seeded(1)), expected)


def test_a_causal_query_does_not_see_later_keys():
    query, key = draw((5, 4), (5, 4))
    weights = attention_weights(query, key, is_causal=True)
    assert torch.equal(weights.triu(1), torch.zeros(5, 5, dtype=torch.float64))
    assert (weights.tril() > 0).sum() == 15


def test_what_a_causal_query_sees_is_on_the_device_of_the_query():
    # The meta device computes shapes alone, and refuses to meet a tensor of another device.
    query = torch.empty(5, 4, device="meta")
    assert attention_weights(query, query, is_causal=True).device.type == "meta"


def test_attention_sees_all_keys_unless_told():
    query, key, value = draw((5, 4), (5, 4), (5, 4))
    expected = attention_dropout(query, key, value, P, is_causal=False, generator=seeded())
    assert torch.equal(attention_dropout(query, key, value, P, generator=seeded()), expected)
    assert (attention_weights(query, key) > 0).all()


def test_the_rate_is_a_tenth_unless_told():
    tensors = draw((9, 4), (9, 4), (9, 4))
    expected = attention_dropout(*tensors, 0.1, generator=seeded())
    assert torch.equal(attention_dropout(*tensors, generator=seeded()), expected)


def test_large_scores_do_not_overflow_float16():
    # 64 * 40 * 40 = 102,400 is beyond float16's 65,504; divided by sqrt(64) first, it is not.
    query = torch.full((2, 64), 40.0, dtype=torch.float16)
    assert torch.equal(attention_weights(query, query), torch.full((2, 2), 0.5, dtype=torch.float16))


@pytest.mark.parametrize(("query", "key"), [((0, 5, 4), (0, 6, 4)), ((2, 0, 4), (2, 6, 4))])
def test_no_example_and_no_query_are_no_error(query, key):
    assert attention_dropout(torch.ones(query), torch.ones(key), torch.ones(key), P).shape == query


@pytest.mark.parametrize(
    ("query", "key"),
    [((4,), (5, 4)), ((5, 4), (4,)), ((5, 4), (5, 3)), ((2, 5, 4), (2, 4, 5)), ((5, 4), (0, 4)), ((5, 0), (6, 0))],
)
def test_queries_and_keys_that_do_not_fit_are_named_with_both_shapes(query, key):
    with pytest.raises(ArgumentError, match=r": they must be .*, Tk and d at least 1$") as error:
        attention_weights(torch.ones(query), torch.ones(key))
    assert str(error.value).startswith(f"query has shape {query} and key {key}: ")


@pytest.mark.parametrize("value", [(5,), (4, 5), (2, 6, 4)])
def test_values_that_do_not_fit_are_named_with_both_shapes(value):
    with pytest.raises(ArgumentError, match=r"they must be \(..., Tk, dv\) and \(..., Tk, d\)$") as error:
        attention_dropout(torch.ones(3, 4), torch.ones(5, 4), torch.ones(value))
    assert str(error.value).startswith(f"value has shape {value} and key (5, 4): ")


@pytest.mark.parametrize("name", ["query", "key", "value"])
def test_an_integer_tensor_is_named(name):
    tensors = {"query": torch.ones(2, 3), "key": torch.ones(2, 3), "value": torch.ones(2, 3)}
    tensors[name] = tensors[name].long()
    with pytest.raises(ArgumentError, match=rf"^{name} has dtype torch.int64"):
        attention_dropout(**tensors)


# Masks: who may be attended to


def qkv():
    return tuple(torch.randn(2, 3, 5, 4, generator=seeded(s), dtype=torch.float64) for s in range(3))


ALLOWED = torch.rand(5, 5, generator=seeded(7)) < 0.6
ALLOWED |= torch.eye(5, dtype=torch.bool)
KEYS = torch.tensor([[True, True, True, False, False], [True, True, False, True, True]])


@pytest.mark.parametrize("additive", [True, False])
@pytest.mark.parametrize("shape", [(5, 5), (2, 1, 5, 5), (1, 3, 5, 5)])
def test_an_attention_mask_is_that_of_scaled_dot_product_attention(additive, shape):
    q, k, v = qkv()
    mask = torch.rand(shape, generator=seeded(8), dtype=torch.float64) if additive else ALLOWED.expand(shape)
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    torch.testing.assert_close(attention_dropout(q, k, v, training=False, attn_mask=mask), expected)


def test_padding_is_attended_by_nobody_in_any_head():
    q, k, v = qkv()
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=KEYS[:, None, None, :])
    torch.testing.assert_close(attention_dropout(q, k, v, training=False, key_padding_mask=KEYS), expected)


def test_the_masks_and_causality_act_together():
    q, k, v = qkv()
    both = ALLOWED & KEYS[:, None, None, :] & torch.ones(5, 5, dtype=torch.bool).tril()
    expected = F.scaled_dot_product_attention(q, k, v, attn_mask=both)
    both_given = attention_dropout(q, k, v, training=False, attn_mask=ALLOWED, key_padding_mask=KEYS, is_causal=True)
    torch.testing.assert_close(both_given, expected)


def test_a_multihead_attentions_padding_is_the_opposite_of_ours():
    attention = torch.nn.MultiheadAttention(4, 1, batch_first=True, bias=False, dtype=torch.float64)
    with torch.no_grad():
        attention.in_proj_weight.copy_(torch.eye(4).repeat(3, 1))
        attention.out_proj.weight.copy_(torch.eye(4))
    x = torch.randn(2, 5, 4, generator=seeded(), dtype=torch.float64)
    theirs, _ = attention(x, x, x, key_padding_mask=~KEYS)
    torch.testing.assert_close(attention_dropout(x, x, x, training=False, key_padding_mask=KEYS), theirs)


def test_a_query_that_may_attend_to_nobody_gets_zeros_and_a_gradient_without_nan():
    q, k, v = (t.requires_grad_() for t in qkv())
    nobody = torch.zeros(5, 5, dtype=torch.bool)
    nobody[1:] = True
    out = attention_dropout(q, k, v, training=False, attn_mask=nobody)
    assert torch.equal(out[:, :, 0], torch.zeros(2, 3, 4))
    out.sum().backward()
    assert all(t.grad.isfinite().all() for t in (q, k, v))


def test_the_mask_of_keys_has_as_many_as_there_are_keys_whatever_the_queries():
    q, k, v = qkv()
    expected = F.scaled_dot_product_attention(q[:, :, :3], k, v, attn_mask=KEYS[:, None, None, :])
    ours = attention_dropout(q[:, :, :3], k, v, training=False, key_padding_mask=KEYS)
    torch.testing.assert_close(ours, expected)


def test_an_example_of_padding_alone_gets_zeros_and_a_gradient_without_nan():
    q, k, v = (t.requires_grad_() for t in qkv())
    out = attention_dropout(q, k, v, training=False, key_padding_mask=torch.tensor([[False], [True]]).expand(2, 5))
    assert not out[0].any()
    assert out[1].all()
    out.sum().backward()
    assert all(t.grad.isfinite().all() for t in (q, k, v))


def test_without_a_batch_the_mask_of_keys_has_none_either():
    q, k, v = (t[0, 0] for t in qkv())
    padded = attention_dropout(q, k, v, training=False, key_padding_mask=KEYS[0])
    torch.testing.assert_close(padded, F.scaled_dot_product_attention(q, k, v, attn_mask=KEYS[0].expand(5, 5)))
    with pytest.raises(ArgumentError, match=r"^key_padding_mask has shape \(5, 5\): it must be \(5,\)"):
        attention_dropout(q, k, v, training=False, key_padding_mask=KEYS[0].expand(5, 5))


def test_dropout_acts_on_the_weights_that_the_mask_leaves():
    q, k, v = qkv()
    kept = keep_mask((2, 3, 5, 5), 0.4, generator=seeded())
    weights = attention_weights(q, k, attn_mask=ALLOWED) * kept / 0.6
    torch.testing.assert_close(attention_dropout(q, k, v, 0.4, attn_mask=ALLOWED, mask=kept), weights @ v)


def test_the_module_hands_the_masks_on():
    q, k, v = qkv()
    module = AttentionDropout(0.4)
    arguments = {"attn_mask": ALLOWED, "key_padding_mask": KEYS}
    expected = attention_dropout(q, k, v, 0.4, generator=seeded(), **arguments)
    assert torch.equal(module(q, k, v, generator=seeded(), **arguments), expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"attn_mask": torch.ones(4, 5)}, r"^attn_mask has shape \(4, 5\): it must be \(2, 3, 5, 5\)"),
        ({"attn_mask": torch.ones(5, 5).long()}, r"^attn_mask has dtype torch.int64: it must be bool"),
        (
            {"key_padding_mask": torch.ones(2, 4, dtype=torch.bool)},
            r"^key_padding_mask has shape \(2, 4\)",
        ),
        ({"key_padding_mask": torch.ones(2, 5)}, r"^key_padding_mask has dtype torch.float32: it must be bool"),
    ],
)
def test_a_mask_of_keys_that_does_not_fit_is_named(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        attention_dropout(*qkv(), **arguments)
