"""Rebuild regdemo/lab/mnist1d/mnist1d.npz with the package `mnist1d` (in the extra `test`).

    python scripts/make_mnist1d.py [FILE]

Run as a program, never imported: `mnist1d` reseeds the global generators of `random` and NumPy.
Nothing is downloaded; the package generates the series, which are then rounded to float16.
"""

import sys
from pathlib import Path

import numpy as np
from mnist1d.data import get_dataset_args, make_dataset

SHIPPED = Path(__file__).parents[1] / "regdemo" / "lab" / "mnist1d" / "mnist1d.npz"


def make(file: Path) -> None:
    """Write the 4,000 training series, then the 1,000 test series, with their labels."""
    data = make_dataset(get_dataset_args())
    np.savez_compressed(
        file,
        x=np.concatenate([data["x"], data["x_test"]]).astype(np.float16),
        y=np.concatenate([data["y"], data["y_test"]]).astype(np.uint8),
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else SHIPPED)
