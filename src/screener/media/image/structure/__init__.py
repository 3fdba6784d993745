"""The structure of picture files, read without decoding pixels."""
