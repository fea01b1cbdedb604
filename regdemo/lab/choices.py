"""What can be compared, and within which ranges: apart, so that a command's help need import nothing more."""

from regdemo.parameters import count, rate

TECHNIQUES = ("dropout",)
P = rate("Probability that a hidden activation is dropped.")
SEEDS = count("Pairs of networks, each pair with a seed of its own.", 8, 64)
EPOCHS = count("Passes over the training examples.", 1, 1000)
