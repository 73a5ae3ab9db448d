"""Releases: everything that determines an answer, as one immutable thing under the hash of its content."""
