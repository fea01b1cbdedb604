"""The field in one place, grouped by where the noise or the penalty enters.

    activations   dropout, gaussian_dropout, spatial_dropout, drop_block
    attention     attention_dropout
    paths         drop_path, drop_path_residual
    weights       drop_connect
    schedules     layerwise_rates, layerwise_dropout

Each technique is a function first; a Module of the same name in CamelCase stands beside it where it has a place inside
a model. Randomness comes from the `generator` handed in, or from a mask drawn beforehand by `keep_mask`; without
either, from torch's global generator, the only one that torch.compile takes into a full graph.
"""

from regdemo.regularizers.activations import (
    DropBlock,
    Dropout,
    GaussianDropout,
    SpatialDropout,
    drop_block,
    drop_block_seed_rate,
    dropout,
    gaussian_dropout,
    spatial_dropout,
)
from regdemo.regularizers.attention import AttentionDropout, attention_dropout, attention_weights
from regdemo.regularizers.masks import keep_mask
from regdemo.regularizers.paths import DropPath, drop_path, drop_path_residual
from regdemo.regularizers.schedules import layerwise_dropout, layerwise_rates
from regdemo.regularizers.weights import DropConnect, drop_connect, drop_connect_moments

__all__ = [
    "AttentionDropout",
    "DropBlock",
    "DropConnect",
    "DropPath",
    "Dropout",
    "GaussianDropout",
    "SpatialDropout",
    "attention_dropout",
    "attention_weights",
    "drop_block",
    "drop_block_seed_rate",
    "drop_connect",
    "drop_connect_moments",
    "drop_path",
    "drop_path_residual",
    "dropout",
    "gaussian_dropout",
    "keep_mask",
    "layerwise_dropout",
    "layerwise_rates",
    "spatial_dropout",
]
