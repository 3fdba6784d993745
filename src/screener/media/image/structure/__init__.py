"""The structure of picture files, read without decoding pixels.

Functions do not raise on broken input unless their docstrings say so. Unreadable parts are skipped.
"""
