"""Run the command line as `python -m regdemo`."""

from regdemo.cli.app import main

if __name__ == "__main__":
    main()
