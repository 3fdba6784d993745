"""What each radius finds and costs, measured on the operator's own images."""
