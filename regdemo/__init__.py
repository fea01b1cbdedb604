"""Regularization for machine-learning interviews: demos that measure their claims, and a quiz."""

__version__ = "0.2.0.dev0"
