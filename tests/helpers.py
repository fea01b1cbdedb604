"""What tests in several folders need: seeded numbers, what a report says, a terminal."""

import torch

from regdemo.report import Table, Text


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def draw(*shape, seed=0):
    return torch.randn(shape, generator=seeded(seed), dtype=torch.float64)


def broken(report):
    """The claims that do not hold."""
    return [claim.statement for claim in report.claims if not claim.holds]


def tables(report):
    return [block for block in report.blocks if isinstance(block, Table)]


def texts(report):
    return " ".join(block.text for block in report.blocks if isinstance(block, Text))


def take_terminal():
    """Make standard input the controlling terminal, so that what is typed at it arrives as signals."""
    import fcntl
    import termios

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
