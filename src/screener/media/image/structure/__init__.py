"""The structure of picture files, read without decoding pixels.

Nothing here raises on broken input, unless its docstring says so: what cannot be read is not there.
"""
