"""What the console asks of the rest of the keeper."""
