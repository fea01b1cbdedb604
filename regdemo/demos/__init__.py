"""One file for each command: state a claim, measure it, return a Report."""
