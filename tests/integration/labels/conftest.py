"""The control database on both of its engines."""

from tests.integration.control.conftest import clock, data, store, url, wk

__all__ = ["clock", "data", "store", "url", "wk"]
