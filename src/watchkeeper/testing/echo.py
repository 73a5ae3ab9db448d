"""A script that tells what it was asked, for what is passed through unread."""

import hashlib
from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass

from watchkeeper.testing.asked import Asked, Json
from watchkeeper.testing.said import written
from watchkeeper.testing.scripts import Delivery
from watchkeeper.testing.steps import Step

AT_ONCE = Delivery()


@dataclass(frozen=True, slots=True)
class Echo:
    """Answers with a document of the request: method, path, query, headers, and the length and SHA-256 of the body."""

    _: KW_ONLY
    status: int = 200
    delivery: Delivery = AT_ONCE

    def steps(self, asked: Asked, /) -> Iterator[Step]:
        """Tell."""
        return self.delivery.document(written(_heard(asked)), status=self.status)


def _heard(asked: Asked) -> Json:
    return {
        "method": asked.method,
        "path": asked.path,
        "query": asked.query,
        "headers": asked.headers,
        "body_length": len(asked.body),
        "body_sha256": hashlib.sha256(asked.body).hexdigest(),
    }
