"""Pages and figures of a hotline."""
