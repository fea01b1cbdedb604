"""Training: data, models, batched ensembles, recipes, comparison statistics."""
