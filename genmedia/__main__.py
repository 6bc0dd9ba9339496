"""`python -m genmedia`: the command line."""

from genmedia.cli.app import main

if __name__ == "__main__":
    main()
