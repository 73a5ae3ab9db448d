"""Servers that are compatible but for their address and how they want the secret, such as Azure's deployments."""

from openai import OpenAI
from tests.contract.gateway.data_plane import PROVIDER_KEY

from watchkeeper.testing import Upstream


def test_azures_deployments_are_reached_by_their_path_query_and_header(client: OpenAI, upstream: Upstream) -> None:
    client.chat.completions.create(model="azure/my deployment", messages=[{"role": "user", "content": "hello"}])
    [received] = upstream.received
    assert received.path == "/openai/deployments/my%20deployment/chat/completions"
    assert received.asked.query == "api-version=2024-10-21"
    assert received.header("api-key") == PROVIDER_KEY
    assert received.header("authorization") is None


def test_what_a_server_does_not_speak_is_translated_into_what_it_does(client: OpenAI, upstream: Upstream) -> None:
    reply = client.responses.create(model="azure/m", input="hello")
    assert upstream.received[0].path.endswith("/chat/completions")
    assert reply.output_text
