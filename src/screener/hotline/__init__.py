"""The hotline's day: anonymous reports, cases, two persons' assessment, notices, the clock.

It stands above the rest of the package, and nothing below imports it. docs/hotline.md walks
through one day of it.
"""
