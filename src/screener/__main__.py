"""`python -m screener`: the command, where `screener` is not on the path."""

from screener_command import main

if __name__ == "__main__":
    main()
