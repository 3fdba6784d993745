"""The structure of picture files, read without decoding pixels.

Nothing raises on broken input unless its docstring says so; unreadable parts are skipped.
"""
