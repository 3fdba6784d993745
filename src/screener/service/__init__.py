"""The HTTP service: screening and matching for programs in any language.

It needs the extra `serve`. Nothing of it is loaded by `import screener`.
"""
