"""Scorers that need no model: what they ask can be computed from the answer, the reference, and what it took."""
