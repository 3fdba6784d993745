"""When two videos are one: the rule, from the hashes of their frames; knows nothing of files."""
