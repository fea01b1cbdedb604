"""What every process of the tests begins with."""

import os
import signal

# The tests run on two cores at once, and torch's threads would fight over them.
os.environ["OMP_NUM_THREADS"] = "1"
# Where a shell starts the tests in the background Ctrl-C is ignored, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
