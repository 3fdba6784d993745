"""The command line: a module for each command, or for the commands on a list."""
