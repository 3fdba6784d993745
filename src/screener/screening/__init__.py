"""One input against the lists: Screener, Policy, Result."""
