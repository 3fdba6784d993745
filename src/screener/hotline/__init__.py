"""The hotline's day: anonymous reports, cases, two analysts' assessment, notices, the clock.

No other package but `cli` imports it. docs/hotline.md walks through one day.
"""
