"""The rule by which two videos agree, from the hashes of their frames."""
