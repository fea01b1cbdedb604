"""Training: data, models, batched ensembles, recipes, comparison statistics.

what is learned   data, text (characters), table (a CSV), rewriting (back-translation)
by which network  ensemble (perceptrons), gpts, hugging_face; transformer is one GPT, for demos
with what         recipe, techniques/, choices (what can be asked for)
trained           training, streams (random numbers), memory, cells and executors (on many machines)
judged            metrics, coefficients, privacy
told              compare, combine, sweep, finetune, by what findings and statistics allow
"""
