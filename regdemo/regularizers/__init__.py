"""The field in one place, grouped by where the noise or the penalty enters.

    inputs        input_noise, embedding_noise, word_dropout, token_masking
                  mixup, cutmix, fgsm, adversarial_training
    tokens        random_deletion, random_swap
    activations   dropout, gaussian_dropout, alpha_dropout, spatial_dropout, mc_dropout
                  drop_block, drop_block_seed_rate, activation_noise
    recurrent     locked_dropout, zoneout
    attention     attention_dropout, attention_weights
    paths         drop_path, drop_path_residual, layer_drop
    weights       drop_connect, drop_connect_moments, mixout, weight_noise, lora_dropout
                  l1_penalty, soft_threshold, l2_penalty, elastic_net, elastic_net_prox, decay_groups, max_norm
    targets       r_drop, confidence_penalty
    gradients     dp_sgd, check_gradients
    optimizers    SAM, Lookahead
    averages      SWA, EMA
    schedules     layerwise_rates, layerwise_dropout, annealed_dropout, early_dropout, late_dropout, EarlyStopping
    rates         find_rates, set_dropout
    masks         keep_mask, keep_masks
    draws         replay_draws

Each technique is a function first; a Module of the same name in CamelCase accompanies it where it has a place inside a
model. Randomness comes from the `generator` handed in, or from a mask drawn beforehand by `keep_mask`; without either,
from torch's global generator, the only one that torch.compile takes into a full graph and that gradient checkpointing
replays (`replay_draws` makes it replay others).

torch has the rest: label smoothing in nn.CrossEntropyLoss, decoupled weight decay in AdamW, clipping in nn.utils, and
spectral normalization in nn.utils.parametrizations.spectral_norm, which bounds a layer's gain by 1.

In training a value is checked where it is cheap. torch.fx records a call on tensors, by a Module here or as
`regularizers.dropout(x)` in a forward of yours, as one node of its graph, with the mode, training or eval, that the
model had when it was traced. A function imported by its bare name needs `torch.fx.wrap("dropout")` in your file.
"""

import torch

from regdemo.regularizers.activations import (
    ActivationNoise,
    AlphaDropout,
    DropBlock,
    Dropout,
    GaussianDropout,
    SpatialDropout,
    activation_noise,
    alpha_dropout,
    drop_block,
    drop_block_seed_rate,
    dropout,
    gaussian_dropout,
    mc_dropout,
    spatial_dropout,
)
from regdemo.regularizers.attention import AttentionDropout, attention_dropout, attention_weights
from regdemo.regularizers.averages import EMA, SWA
from regdemo.regularizers.draws import replay_draws
from regdemo.regularizers.gradients import check_gradients, dp_sgd
from regdemo.regularizers.inputs import (
    EmbeddingNoise,
    InputNoise,
    WordDropout,
    adversarial_training,
    cutmix,
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
from regdemo.regularizers.recurrent import LockedDropout, Zoneout, locked_dropout, zoneout
from regdemo.regularizers.schedules import (
    EarlyStopping,
    annealed_dropout,
    early_dropout,
    late_dropout,
    layerwise_dropout,
    layerwise_rates,
)
from regdemo.regularizers.targets import confidence_penalty, r_drop
from regdemo.regularizers.tokens import random_deletion, random_swap
from regdemo.regularizers.weights import (
    DropConnect,
    LoraDropout,
    Mixout,
    WeightNoise,
    decay_groups,
    drop_connect,
    drop_connect_moments,
    elastic_net,
    elastic_net_prox,
    l1_penalty,
    l2_penalty,
    lora_dropout,
    max_norm,
    mixout,
    soft_threshold,
    weight_noise,
)

__all__ = [
    "EMA",
    "SAM",
    "SWA",
    "ActivationNoise",
    "AlphaDropout",
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
    "LockedDropout",
    "Lookahead",
    "LoraDropout",
    "Mixout",
    "SpatialDropout",
    "WeightNoise",
    "WordDropout",
    "Zoneout",
    "activation_noise",
    "adversarial_training",
    "alpha_dropout",
    "annealed_dropout",
    "attention_dropout",
    "attention_weights",
    "check_gradients",
    "confidence_penalty",
    "cutmix",
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
    "elastic_net",
    "elastic_net_prox",
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
    "locked_dropout",
    "lora_dropout",
    "max_norm",
    "mc_dropout",
    "mixout",
    "mixup",
    "r_drop",
    "random_deletion",
    "random_swap",
    "replay_draws",
    "set_dropout",
    "soft_threshold",
    "spatial_dropout",
    "token_masking",
    "weight_noise",
    "word_dropout",
    "zoneout",
]

for _name in __all__:  # calls as regularizers.NAME; those by bare name, in our Modules, are wrapped in their files
    if not isinstance(globals()[_name], type):
        torch.fx.wrap(_name)
