"""Commands of the hotline, in Arabic, French or English."""
