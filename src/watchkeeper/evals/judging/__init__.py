"""Scorers that ask a model. A judge is a release like any other: versioned, with a schema for its answer."""
