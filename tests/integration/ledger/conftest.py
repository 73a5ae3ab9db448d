"""The control database on both of its engines, as the tests of the control store have it."""

from tests.integration.control.conftest import clock, store, url

__all__ = ["clock", "store", "url"]
