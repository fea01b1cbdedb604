import copy

import pytest
import torch
from torch import nn

from regdemo import regularizers
from regdemo.errors import ArgumentError, ProbabilityError
from regdemo.regularizers import (
    DropConnect,
    DropPath,
    LayerDrop,
    Mixout,
    WordDropout,
    drop_path,
    find_rates,
    mc_dropout,
    set_dropout,
)


def encoder(depth=3):
    layer = nn.TransformerEncoderLayer(8, nhead=2, dim_feedforward=8, dropout=0.5, batch_first=True)
    return nn.TransformerEncoder(layer, depth, enable_nested_tensor=False)


def rates(model):
    return {name: getattr(module, attribute) for name, module, attribute in find_rates(model)}


SITES = ["self_attn.dropout", "dropout.p", "dropout1.p", "dropout2.p"]


@pytest.fixture(autouse=True)
def global_generator_as_found():
    with torch.random.fork_rng(devices=[]):
        yield


def test_every_rate_of_a_transformer_is_set_the_attentions_float_too():
    model = encoder()
    changed = set_dropout(model, 0.2)
    assert changed == {f"layers.{layer}.{site}": 0.2 for layer in range(3) for site in SITES}
    assert rates(model) == changed


def test_a_schedule_sets_each_layers_rates():
    model = encoder()
    changed = set_dropout(model, [0.0, 0.1, 0.2])
    assert changed == {f"layers.{layer}.{site}": layer / 10 for layer in range(3) for site in SITES}
    assert [layer.self_attn.dropout for layer in model.layers] == [0.0, 0.1, 0.2]


def test_at_rate_0_a_transformer_in_training_is_what_it_is_in_eval():
    model, x = encoder(), torch.randn(2, 5, 8)
    set_dropout(model, 0.0)
    torch.testing.assert_close(model.train()(x), model.eval()(x))


def test_with_the_floats_left_out_it_would_still_be_random():
    model, x = encoder(), torch.randn(2, 5, 8)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    assert not torch.allclose(model.train()(x), model.eval()(x))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Dropout", "dropout"),
        ("AlphaDropout", "dropout"),
        ("GaussianDropout", "dropout"),
        ("SpatialDropout", "dropout"),
        ("LockedDropout", "dropout"),
        ("AttentionDropout", "dropout"),
        ("DropBlock", "block"),
        ("DropPath", "path"),
        ("Zoneout", "state"),
    ],
)
def test_the_rates_of_our_modules_are_set_by_their_kind(name, kind):
    module = getattr(regularizers, name)(0.5)
    assert set_dropout(nn.ModuleDict({"it": module}), 0.1, kind=kind) == {"it.p": 0.1}
    assert module.p == 0.1


def test_rates_in_other_places_are_found_by_their_kind():
    model = nn.ModuleDict(
        {
            "connect": DropConnect(2, 2, 0.5),
            "words": WordDropout(3, 2, 0.5),
            "layers": LayerDrop([nn.Linear(2, 2)], 0.5),
            "mixout": Mixout(torch.ones(2), 0.5),
        }
    )
    kinds = {kind: [n for n, _, _ in find_rates(model, kind)] for kind in ("weights", "words", "layer", "dropout")}
    assert kinds == {"weights": ["connect.p", "mixout.p"], "words": ["words.p"], "layer": ["layers.p"], "dropout": []}


class RandomHorizontalFlip(nn.Module):
    """As torchvision's: a probability of something else."""

    def __init__(self, p=0.5):
        super().__init__()
        self.p = p


class StochasticDepth(nn.Module):
    """As torchvision's."""

    def __init__(self, p, mode="row"):
        super().__init__()
        self.p, self.mode = p, mode


class SwinDropPath(nn.Module):
    """As timm's and Hugging Face's."""

    def __init__(self, drop_prob):
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x):
        return drop_path(x, self.drop_prob, self.training)


def test_a_p_of_something_else_keeps_its_value_and_is_listed():
    model = nn.ModuleDict(
        {
            "flip": RandomHorizontalFlip(),
            "loss": nn.MultiMarginLoss(p=1),
            "depth": StochasticDepth(0.2),
            "drop": nn.Dropout(0.5),
        }
    )
    changed = set_dropout(model, 0.1)
    assert changed == {"drop.p": 0.1}
    assert changed.left_alone == {"flip.p": 0.5, "loss.p": 1, "depth.p": 0.2}
    assert (model["flip"].p, model["loss"].p, model["depth"].p) == (0.5, 1, 0.2)


def test_a_path_is_set_under_each_of_its_names():
    model = nn.ModuleDict({"vision": StochasticDepth(0.2), "timm": SwinDropPath(0.2), "ours": DropPath(0.2)})
    assert set_dropout(model, 0.1, kind="path") == {"vision.p": 0.1, "timm.drop_prob": 0.1, "ours.p": 0.1}


def test_a_drop_prob_that_mc_dropout_must_switch_on_is_found():
    model = nn.Sequential(nn.Linear(2, 3), SwinDropPath(0.5)).eval()
    passes = mc_dropout(model, torch.ones(64, 2), 2, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(passes[0], passes[1])


def test_a_model_with_rates_of_another_kind_alone_says_which():
    with pytest.raises(ArgumentError, match=r"holds no drop rate, but rates of kind 'path': .* kind='path'$"):
        set_dropout(nn.Sequential(DropPath(0.5)), 0.1)


def test_an_unknown_kind_is_refused():
    with pytest.raises(ArgumentError, match=r"^kind = 'paths' is unknown: choose one of dropout, path, layer, "):
        set_dropout(nn.Dropout(), 0.1, kind="paths")


def test_a_recurrent_networks_rate_is_found():
    assert set_dropout(nn.LSTM(2, 2, num_layers=2, dropout=0.5), 0.1) == {"dropout": 0.1}


class HuggingFaceStyle(nn.Module):
    def __init__(self):
        super().__init__()
        self.attn_pdrop, self.attention_dropout, self.hidden_dropout_prob = 0.5, 0, 1.0
        self.use_dropout, self.layerdrop, self.dropout_name, self.dropout_layers = True, 0.5, "all", 12


def test_a_rate_is_a_number_from_0_to_1_under_a_name_that_says_dropout():
    expected = {"attn_pdrop": 0.1, "attention_dropout": 0.1, "hidden_dropout_prob": 0.1}
    assert set_dropout(HuggingFaceStyle(), 0.1) == expected


def test_what_is_called_p_and_is_no_probability_is_left_alone():
    with pytest.raises(ArgumentError, match=r"^TripletMarginLoss holds no drop rate"):
        set_dropout(nn.TripletMarginLoss(p=2), 0.1)


def test_a_parameter_called_p_is_not_a_rate():
    module = nn.Module()
    module.p = nn.Parameter(torch.tensor(0.5))
    assert list(find_rates(module)) == []


def test_a_model_without_rates_is_refused():
    with pytest.raises(ArgumentError, match=r"^Linear holds no drop rate: nothing there could be set$"):
        set_dropout(nn.Linear(2, 2), 0.1)


@pytest.mark.parametrize("p", [-0.1, 1.0, float("nan"), None, "0.1"])
def test_a_bad_rate_is_refused_and_nothing_is_set(p):
    model = encoder(2)
    before = rates(model)
    for rate in (p, [0.1, p]):
        with pytest.raises(ProbabilityError, match=r"^rate(\[\d\])? = "):
            set_dropout(model, rate)
    assert rates(model) == before


def test_rates_outside_the_layers_stay_under_a_schedule():
    model = nn.ModuleDict({"drop": nn.Dropout(0.5), "encoder": encoder(2)})
    assert set(set_dropout(model, [0.1, 0.2])) == {f"encoder.layers.{n}.{site}" for n in range(2) for site in SITES}
    assert model["drop"].p == 0.5


def test_the_outermost_list_of_that_length_is_meant():
    blocks = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Dropout()), nn.Sequential(nn.Linear(2, 2), nn.Dropout2d()))
    assert set_dropout(blocks, [0.1, 0.2]) == {"0.1.p": 0.1, "1.1.p": 0.2}


def test_a_list_of_that_length_without_rates_is_passed_over():
    model = nn.ModuleDict({"head": nn.Sequential(nn.Linear(2, 2), nn.ReLU()), "encoder": encoder(2)})
    assert len(set_dropout(model, [0.1, 0.2])) == 8


def test_a_layer_without_a_rate_is_named_and_nothing_is_set():
    blocks = nn.Sequential(nn.Dropout(0.5), nn.ReLU())
    with pytest.raises(ArgumentError, match=r"^layer 1 holds no drop rate: nothing there could be set$"):
        set_dropout(blocks, [0.1, 0.2])
    assert blocks[0].p == 0.5


@pytest.mark.parametrize("schedule", [[0.1], [0.1] * 5, []])
def test_a_schedule_of_another_length_is_refused(schedule):
    with pytest.raises(ArgumentError, match=rf"^rate has {len(schedule)} values, .* are: none; there must be one"):
        set_dropout(encoder(3), schedule)


def test_two_lists_of_that_length_are_named_and_one_of_them_can_be_given():
    model = nn.Transformer(8, nhead=2, num_encoder_layers=2, num_decoder_layers=2, dim_feedforward=8, batch_first=True)
    with pytest.raises(ArgumentError, match=r"are: encoder\.layers and decoder\.layers; there must be one"):
        set_dropout(model, [0.1, 0.2])
    assert len(set_dropout(model.encoder, [0.1, 0.2])) == 8


def test_a_module_shared_by_two_layers_cannot_have_two_rates():
    shared = nn.Dropout(0.5)
    blocks = nn.ModuleList([nn.Sequential(nn.Linear(2, 2), shared), nn.Sequential(nn.Linear(2, 2), shared)])
    with pytest.raises(ArgumentError, match=r"^two layers share a module"):
        set_dropout(blocks, [0.1, 0.2])
    assert set_dropout(blocks, 0.3) == {"0.1.p": 0.3}


def test_a_copy_keeps_its_own_rates():
    model = encoder()
    other = copy.deepcopy(model)
    set_dropout(model, 0.1)
    assert set(rates(other).values()) == {0.5}


# Hugging Face, built from a config: nothing is downloaded.


@pytest.fixture
def transformers():
    return pytest.importorskip("transformers")


def test_a_gpt2s_rates_are_set_by_layer(transformers):
    config = transformers.GPT2Config(n_layer=2, n_head=2, n_embd=8, vocab_size=11, n_positions=16)
    model = transformers.GPT2LMHeadModel(config).train()
    sites = ["attn.attn_dropout.p", "attn.resid_dropout.p", "mlp.dropout.p"]
    expected = {f"transformer.h.{n}.{site}": p for n, p in enumerate([0.2, 0.3]) for site in sites}
    assert set_dropout(model, [0.2, 0.3]) == expected
    assert model.transformer.drop.p == 0.1


def test_a_gpt2_with_every_rate_at_0_is_not_random_in_training(transformers):
    config = transformers.GPT2Config(n_layer=2, n_head=2, n_embd=8, vocab_size=11, n_positions=16)
    model, ids = transformers.GPT2LMHeadModel(config).train(), torch.arange(5).view(1, 5)
    assert not torch.equal(model(ids).logits, model(ids).logits)
    assert "transformer.drop.p" in set_dropout(model, 0.0)
    assert torch.equal(model(ids).logits, model(ids).logits)


def test_a_llamas_attention_is_dropped_though_it_has_no_dropout_module(transformers):
    config = transformers.LlamaConfig(
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        hidden_size=8,
        intermediate_size=8,
        vocab_size=11,
    )
    model, ids = transformers.LlamaForCausalLM(config).train(), torch.arange(5).view(1, 5)
    assert not [module for module in model.modules() if isinstance(module, nn.Dropout)]
    assert torch.equal(model(ids).logits, model(ids).logits)
    changed = set_dropout(model, [0.4, 0.5])
    assert changed == {f"model.layers.{n}.self_attn.attention_dropout": p for n, p in enumerate([0.4, 0.5])}
    assert not torch.equal(model(ids).logits, model(ids).logits)


def test_a_berts_rates_are_set_by_layer_and_at_0_it_is_not_random(transformers):
    config = transformers.BertConfig(
        num_hidden_layers=2, num_attention_heads=2, hidden_size=8, intermediate_size=8, vocab_size=11
    )
    model, ids = transformers.BertModel(config).train(), torch.arange(5).view(1, 5)
    changed = set_dropout(model, [0.2, 0.3])
    for layer, p in enumerate([0.2, 0.3]):
        for site in ("attention.self.dropout.p", "attention.output.dropout.p", "output.dropout.p"):
            assert changed[f"encoder.layer.{layer}.{site}"] == p
    assert not torch.equal(model(ids)[0], model(ids)[0])
    assert "embeddings.dropout.p" in set_dropout(model, 0.0)
    assert torch.equal(model(ids)[0], model(ids)[0])


def test_the_names_that_are_guessed_are_no_ones(transformers):
    config = transformers.GPT2Config(n_layer=1, n_head=2, n_embd=8, vocab_size=11, n_positions=16)
    (block,) = transformers.GPT2Model(config).h
    with pytest.raises(AttributeError, match="dropout"):
        block.attn.dropout.p = 0.2
    llama = transformers.LlamaConfig(num_hidden_layers=1, num_attention_heads=2, hidden_size=8, intermediate_size=8)
    (layer,) = transformers.LlamaModel(llama).layers
    assert not hasattr(layer, "attn")


@pytest.mark.parametrize(("value", "is_rate"), [(-0.5, False), (0, True), (1, True), (1.5, False)])
def test_a_rate_is_from_0_to_1(value, is_rate):
    module = nn.Identity()
    module.dropout = value
    assert [name for name, _, _ in find_rates(module)] == ["dropout"] * is_rate
