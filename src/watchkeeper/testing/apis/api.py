"""What scripts and faults ask of an API; they do not know which one it is."""

from typing import Protocol

from watchkeeper.testing.asked import Asked, Json
from watchkeeper.testing.said import Event, Refusal, Said


class Api(Protocol):
    """How one API writes replies and errors."""

    def document(self, asked: Asked, said: Said) -> Json:
        """Write a whole reply."""
        ...

    def events(self, asked: Asked, said: Said) -> list[Event]:
        """Write the reply's stream, with the event that ends it when the reply is terminated."""
        ...

    def refused(self, asked: Asked, refusal: Refusal) -> tuple[int, Json]:
        """Return the status and the document of an error."""
        ...

    def failed(self, asked: Asked, refusal: Refusal, sent: list[Event]) -> list[Event]:
        """Return the error in a stream of which some was sent, and then what ends such a stream, if anything does."""
        ...

    def broken(self, data: bytes) -> Event:
        """Wrap what is not JSON as an event that a client of the API will read; no data stands for some of its own."""
        ...
