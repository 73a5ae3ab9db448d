"""Adds the console's pages to the control API's application."""

from fastapi import FastAPI

from watchkeeper.api.services import Services


def mount(app: FastAPI, services: Services) -> None:
    """Add the pages."""
