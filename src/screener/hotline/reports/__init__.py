"""Reports from the public: made, sealed, opened."""
