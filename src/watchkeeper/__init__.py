"""Watchkeeper: what an LLM feature needs in production beyond the model."""

__version__ = "0.1.0"
