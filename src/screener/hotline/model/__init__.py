"""Cases, reports and addresses as values."""
