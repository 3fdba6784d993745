"""The commands of the command line, one short function each, and what they alone read and tell."""
