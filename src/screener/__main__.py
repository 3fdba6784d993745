"""`python -m screener`: the command, if `screener` is not on the path."""

from screener.cli.launch import main

if __name__ == "__main__":
    main()
