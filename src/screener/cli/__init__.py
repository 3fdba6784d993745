"""The command line: a module per command, or for the commands on a list."""
