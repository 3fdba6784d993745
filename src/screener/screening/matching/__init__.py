"""Matches of hashed inputs with lists, and the verdict that follows from them."""
