"""The console script, and `python -m regdemo`."""

import sys

from regdemo import lazy


def main() -> None:
    """Run the command line. It is imported here, so that Ctrl-C while that takes place is no traceback either."""
    lazy.install()
    try:
        from regdemo.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
