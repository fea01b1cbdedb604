"""The field in one place, grouped by where the noise or the penalty enters.

    inputs        input_noise, embedding_noise, word_dropout, token_masking, mixup, fgsm, adversarial_training
    tokens        random_deletion, random_swap
    activations   dropout, gaussian_dropout, spatial_dropout, activation_noise, mc_dropout
                  drop_block, drop_block_seed_rate
    attention     attention_dropout, attention_weights
    paths         drop_path, drop_path_residual, layer_drop
    weights       drop_connect, drop_connect_moments, mixout, weight_noise
                  l1_penalty, soft_threshold, l2_penalty, decay_groups, max_norm
    targets       r_drop
    gradients     dp_sgd, check_gradients
    optimizers    SAM, Lookahead
    schedules     layerwise_rates, layerwise_dropout, annealed_dropout, early_dropout, late_dropout, EarlyStopping
    rates         find_rates, set_dropout
    masks         keep_mask, keep_masks

Each technique is a function first; a Module of the same name in CamelCase stands beside it where it has a place inside
a model. Randomness comes from the `generator` handed in, or from a mask drawn beforehand by `keep_mask`; without
either, from torch's global generator, the only one that torch.compile takes into a full graph.
"""

from regdemo.regularizers.activations import (
    ActivationNoise,
    DropBlock,
    Dropout,
    GaussianDropout,
    SpatialDropout,
    activation_noise,
    drop_block,
    drop_block_seed_rate,
    dropout,
    gaussian_dropout,
    mc_dropout,
    spatial_dropout,
)
from regdemo.regularizers.attention import AttentionDropout, attention_dropout, attention_weights
from regdemo.regularizers.gradients import check_gradients, dp_sgd
from regdemo.regularizers.inputs import (
    EmbeddingNoise,
    InputNoise,
    WordDropout,
    adversarial_training,
    embedding_noise,
    fgsm,
    input_noise,
    mixup,
    token_masking,
    word_dropout,
)
from regdemo.regularizers.masks import keep_mask, keep_masks
from regdemo.regularizers.optimizers import SAM, Lookahead
from regdemo.regularizers.paths import DropPath, LayerDrop, drop_path, drop_path_residual, layer_drop
from regdemo.regularizers.rates import find_rates, set_dropout
from regdemo.regularizers.schedules import (
    EarlyStopping,
    annealed_dropout,
    early_dropout,
    late_dropout,
    layerwise_dropout,
    layerwise_rates,
)
from regdemo.regularizers.targets import r_drop
from regdemo.regularizers.tokens import random_deletion, random_swap
from regdemo.regularizers.weights import (
    DropConnect,
    Mixout,
    WeightNoise,
    decay_groups,
    drop_connect,
    drop_connect_moments,
    l1_penalty,
    l2_penalty,
    max_norm,
    mixout,
    soft_threshold,
    weight_noise,
)

__all__ = [
    "SAM",
    "ActivationNoise",
    "AttentionDropout",
    "DropBlock",
    "DropConnect",
    "DropPath",
    "Dropout",
    "EarlyStopping",
    "EmbeddingNoise",
    "GaussianDropout",
    "InputNoise",
    "LayerDrop",
    "Lookahead",
    "Mixout",
    "SpatialDropout",
    "WeightNoise",
    "WordDropout",
    "activation_noise",
    "adversarial_training",
    "annealed_dropout",
    "attention_dropout",
    "attention_weights",
    "check_gradients",
    "decay_groups",
    "dp_sgd",
    "drop_block",
    "drop_block_seed_rate",
    "drop_connect",
    "drop_connect_moments",
    "drop_path",
    "drop_path_residual",
    "dropout",
    "early_dropout",
    "embedding_noise",
    "fgsm",
    "find_rates",
    "gaussian_dropout",
    "input_noise",
    "keep_mask",
    "keep_masks",
    "l1_penalty",
    "l2_penalty",
    "late_dropout",
    "layer_drop",
    "layerwise_dropout",
    "layerwise_rates",
    "max_norm",
    "mc_dropout",
    "mixout",
    "mixup",
    "r_drop",
    "random_deletion",
    "random_swap",
    "set_dropout",
    "soft_threshold",
    "spatial_dropout",
    "token_masking",
    "weight_noise",
    "word_dropout",
]
