"""Objects behind URLs: their names, their stores, and copies of them."""
