"""Drift: whether what people ask, and what they are answered, is still what it was when somebody last looked."""
