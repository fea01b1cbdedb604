"""The package as a reader meets it: its table, its docstrings, its defaults."""

import inspect
import re

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from regdemo import regularizers
from regdemo import regularizers as r
from regdemo.errors import ArgumentError

FUNCTIONS = [name for name in regularizers.__all__ if inspect.isfunction(getattr(regularizers, name))]
CLASSES = [name for name in regularizers.__all__ if name not in FUNCTIONS]
OWN = {"keep_mask", "keep_masks", "find_rates", "set_dropout"}  # of no paper
ALWAYS = {"find_rates", "replay_draws", "activation_noise"}  # what refuses nothing, or what another one does

# What may be given by place besides what is acted on: how strongly, and what torch or timm takes by place too.
STRENGTHS = {"p", "std", "alpha", "beta", "rho", "decay", "rank", "limit", "samples", "n", "block_size"}
AS_ELSEWHERE = {"training", "inplace", "scale_by_keep", "bias", "device"}

# What a caller gets who says nothing. A change here changes trainings.
DEFAULTS = {
    "ActivationNoise": {"std": 0.1},
    "AlphaDropout": {"p": 0.5},
    "AttentionDropout": {"p": 0.1},
    "DropBlock": {"p": 0.1, "block_size": 7, "positions": 2},
    "DropConnect": {"p": 0.5},
    "DropPath": {"p": 0.1},
    "EMA": {"decay": 0.999},
    "Dropout": {"p": 0.5},
    "EarlyStopping": {"patience": 10, "min_delta": 0.0},
    "EmbeddingNoise": {"alpha": 5.0},
    "GaussianDropout": {"p": 0.5},
    "InputNoise": {"std": 0.1},
    "LayerDrop": {"p": 0.1},
    "LockedDropout": {"p": 0.5, "time_dim": 1},
    "Lookahead": {"k": 5, "alpha": 0.5},
    "LoraDropout": {"rank": 8, "p": 0.1, "alpha": 16.0},
    "Mixout": {"p": 0.5},
    "SAM": {"rho": 0.05},
    "SpatialDropout": {"p": 0.5},
    "WeightNoise": {"std": 0.05},
    "WordDropout": {"p": 0.1},
    "Zoneout": {"p": 0.1},
    "activation_noise": {"std": 0.1},
    "adversarial_training": {"clean": 0.5},
    "alpha_dropout": {"p": 0.5},
    "annealed_dropout": {"p": 0.5},
    "attention_dropout": {"p": 0.1},
    "confidence_penalty": {"beta": 0.1},
    "cutmix": {"alpha": 1.0},
    "drop_block": {"p": 0.1, "block_size": 7, "positions": 2},
    "drop_connect": {"p": 0.5},
    "drop_connect_moments": {"p": 0.5},
    "drop_path": {"p": 0.1},
    "drop_path_residual": {"p": 0.1},
    "dropout": {"p": 0.5},
    "early_dropout": {"p": 0.1},
    "embedding_noise": {"alpha": 5.0},
    "gaussian_dropout": {"p": 0.5},
    "input_noise": {"std": 0.1},
    "late_dropout": {"p": 0.1},
    "layer_drop": {"p": 0.1},
    "locked_dropout": {"p": 0.5, "time_dim": 1},
    "lora_dropout": {"p": 0.1, "scaling": 1.0},
    "max_norm": {"limit": 3.0, "dim": 0},
    "mc_dropout": {"samples": 20},
    "mixout": {"p": 0.5},
    "mixup": {"alpha": 0.2},
    "r_drop": {"alpha": 1.0},
    "random_deletion": {"p": 0.1},
    "random_swap": {"n": 1},
    "spatial_dropout": {"p": 0.5},
    "token_masking": {"p": 0.15},
    "weight_noise": {"std": 0.05},
    "word_dropout": {"p": 0.1},
    "zoneout": {"p": 0.1},
}


def parameters(name):
    return inspect.signature(getattr(regularizers, name)).parameters.values()


def table_of_the_field():
    """The docstring's table: each technique with its file, given once for its lines."""
    file, found = "", []
    for first, names in re.findall(r"^ {4}(\S*) +(.*)", regularizers.__doc__, re.MULTILINE):
        file = first or file
        found += [(name, file) for name in names.replace(",", " ").split()]
    return found


def test_the_docstrings_table_names_each_technique_with_its_file():
    for name, file in table_of_the_field():
        assert getattr(regularizers, name).__module__ == f"regdemo.regularizers.{file}"


def test_the_docstrings_table_is_complete_each_module_by_the_function_beside_it():
    names = [name for name, _ in table_of_the_field()]
    assert len(set(names)) == len(names)
    assert set(FUNCTIONS) <= set(names)
    assert {name.lower() for name in CLASSES} <= {name.replace("_", "").lower() for name in names}


@pytest.mark.parametrize("name", regularizers.__all__)
def test_what_a_reader_could_not_guess_from_its_place_is_a_keyword(name):
    exported = getattr(regularizers, name)
    signatures = [inspect.signature(exported), inspect.signature(getattr(exported, "forward", exported))]
    by_place = {
        p.name
        for signature in signatures
        for p in signature.parameters.values()
        if p.kind is not p.KEYWORD_ONLY and p.default is not p.empty
    }
    assert by_place <= STRENGTHS | AS_ELSEWHERE


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_functions_docstring_has_a_title_a_doctest_its_errors_and_its_paper(name):
    text = inspect.getdoc(getattr(regularizers, name))
    assert text.partition("\n")[0].endswith((".", ":"))
    assert "\n>>> " in text
    assert "Raise" in text or name in ALWAYS
    refers = any(f"`{other}`" in text for other in FUNCTIONS if other != name)
    assert "https://" in text or refers or name in OWN


@pytest.mark.parametrize("name", CLASSES)
def test_a_classs_docstring_is_whole_or_names_the_function_that_says_it(name):
    text = inspect.getdoc(getattr(regularizers, name))
    function = next((other for other in FUNCTIONS if other.replace("_", "") == name.lower()), None)
    assert "\n>>> " in text
    assert f"`{function}`" in text if function else ("https://" in text and "Raises" in text)


@pytest.mark.parametrize("name", [name for name in CLASSES if issubclass(getattr(regularizers, name), nn.Module)])
def test_help_on_a_module_has_each_argument(name):
    cls = getattr(regularizers, name)
    arguments = inspect.signature(cls).parameters
    assert [argument for argument in arguments if argument not in inspect.getdoc(cls)] == []


@pytest.mark.parametrize("name", ["Dropout", "DropPath", "DropBlock", "SpatialDropout", "LockedDropout", "WordDropout"])
def test_help_on_a_layer_has_its_shapes(name):
    text = inspect.getdoc(getattr(regularizers, name))
    assert "Input" in text
    assert "utput" in text


@pytest.mark.parametrize("name", ["dropout", "alpha_dropout", "spatial_dropout"])
def test_arguments_by_place_are_those_of_torchs_function(name):
    theirs = {"dropout": F.dropout, "alpha_dropout": F.alpha_dropout, "spatial_dropout": F.dropout2d}[name]
    ours = list(inspect.signature(getattr(regularizers, name)).parameters)[1:4]
    assert ours == list(inspect.signature(theirs).parameters)[1:4] == ["p", "training", "inplace"]


@pytest.mark.parametrize("name", ["Dropout", "AlphaDropout", "SpatialDropout", "DropBlock"])
def test_inplace_is_refused_with_the_reason(name):
    with pytest.raises(ArgumentError, match=r"^inplace=True is not supported: it would overwrite x"):
        getattr(regularizers, name)(0.5, inplace=True)
    function = {"Dropout": "dropout", "AlphaDropout": "alpha_dropout", "SpatialDropout": "spatial_dropout"}
    with pytest.raises(ArgumentError, match=r"^inplace=True is not supported"):
        getattr(regularizers, function.get(name, "drop_block"))(torch.ones(1, 1, 7, 7), inplace=True)


@pytest.mark.parametrize("name", regularizers.__all__)
def test_a_numeric_default_is_the_one_that_was_promised(name):
    numbers = {p.name: p.default for p in parameters(name) if type(p.default) in (int, float)}
    assert numbers == DEFAULTS.get(name, {})


@pytest.mark.parametrize("call", [r.dropout, r.drop_path, r.input_noise, r.locked_dropout, r.soft_threshold, r.fgsm])
def test_what_is_no_tensor_is_said_with_how_to_make_one(call):
    arguments = {r.soft_threshold: (0.1,), r.fgsm: (sum, 0.1)}.get(call, ())
    with pytest.raises(ArgumentError, match=r"^(x|w) is a list: it must be a tensor, as from torch.as_tensor\("):
        call([1.0], *arguments)


def test_ids_and_masks_that_are_no_tensors_are_said_too():
    with pytest.raises(ArgumentError, match=r"^ids is a list: it must be a tensor"):
        r.random_swap([1, 2], padding=0)
    with pytest.raises(ArgumentError, match=r"^ids is a list: it must be a tensor"):
        r.word_dropout([1, 2], torch.ones(3, 2))
    with pytest.raises(ArgumentError, match=r"^mask is a list: it must be a tensor"):
        r.dropout(torch.ones(2), mask=[True, False])
