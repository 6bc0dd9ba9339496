"""`python -m genmedia`: the command line."""

from genmedia.cli import main

if __name__ == "__main__":
    main()
