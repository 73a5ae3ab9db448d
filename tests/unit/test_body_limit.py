"""No request fills the keeper's memory, whatever it says of its length."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI, Request

from watchkeeper.api.body_limit import BodyLimit


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()

    @app.post("/")
    async def count(request: Request) -> dict[str, int]:
        return {"bytes": len(await request.body())}

    transport = httpx.ASGITransport(BodyLimit(app, 1 << 20))
    async with httpx.AsyncClient(transport=transport, base_url="http://here") as found:
        yield found


async def test_what_is_not_too_long_is_taken_whole(client: httpx.AsyncClient) -> None:
    assert (await client.post("/", content=b"x" * (1 << 20))).json() == {"bytes": 1 << 20}


async def test_a_body_that_says_it_is_too_long_is_refused(client: httpx.AsyncClient) -> None:
    reply = await client.post("/", content=b"x" * ((1 << 20) + 1))
    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "body_too_large")


async def test_a_body_that_does_not_say_how_long_it_is_is_refused_once_too_much_has_come(
    client: httpx.AsyncClient,
) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(1_000):
            taken += 1
            yield b"x" * 65_536

    reply = await client.post("/", content=endless())
    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "body_too_large")
