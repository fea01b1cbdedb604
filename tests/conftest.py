"""One thread for each process: the tests run on two cores at once, and torch's threads would fight over them."""

import os

os.environ["OMP_NUM_THREADS"] = "1"
