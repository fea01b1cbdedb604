"""The console script, and `python -m regdemo`."""

import gc
import sys

from regdemo import lazy

YOUNG = 50_000  # new objects between two looks for garbage; with Python's 700, those looks are 7% of a quiz's start


def main() -> None:
    """Run the command line. It is imported here, so that Ctrl-C while that takes place is no traceback either."""
    gc.set_threshold(YOUNG, 10, 10)
    lazy.install()
    try:
        from regdemo.cli import app

        app.main()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
