"""A feature that looks documents up, from a folder of texts to what people thought of its answers."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from tests.e2e.conftest import config_for

from watchkeeper.core.clock import SystemClock
from watchkeeper.releases.passages import EMBEDDING
from watchkeeper.releases.recipe import Message, Recipe, Retrieval
from watchkeeper.store.control import ControlStore
from watchkeeper.store.environments import StandingDraft
from watchkeeper.testing import Upstream, wait_until
from watchkeeper.testing.harness import Installation

PROMPT = "{% for document in documents %}[{{ document.id }}] {{ document.text }}\n{% endfor %}{{ question }}"
ANSWERED = {"documents": [{"id": "article-7", "text": "Parcels arrive within two days.", "score": 0.9}]}


class _KnowledgeBase(BaseHTTPRequestHandler):
    """A retriever of somebody else's."""

    asked: ClassVar[list[dict[str, Any]]] = []
    secrets: ClassVar[list[str]] = []
    status = 200

    def do_POST(self) -> None:
        """Answer one document, or an error."""
        self.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.secrets.append(self.headers["authorization"])
        body = json.dumps(ANSWERED).encode()
        self.send_response(self.status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def knowledge_base() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _KnowledgeBase)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/search"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, started_upstream: Upstream, knowledge_base: str
) -> Iterator[Installation]:
    retrievers = f'retrievers: {{kb: {{url: "{knowledge_base}", api_key: sk-of-kb}}}}\n'
    folder = tmp_path_factory.mktemp("retrieval")
    with Installation(folder, config_for(started_upstream) + retrievers) as installation:
        yield installation


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "returns.md").write_text("# Returns\n\nGoods can be sent back within 30 days.\n")
    (folder / "hours.md").write_text("# Hours\n\nWe are open from nine to five.\n")
    return folder


def put_live(installation: Installation, feature: str, retrieval: Retrieval) -> str:
    """Push a release and promote it, as the control API does."""
    recipe = Recipe(
        feature=feature,
        model="gpt-4o-mini",
        messages=(Message("user", PROMPT),),
        variables={"question": {"type": "string"}},
        retrieval=retrieval,
    )

    async def put() -> str:
        control = await ControlStore.open(f"sqlite:///{installation.data}/control.db", SystemClock())
        try:
            parent = await control.releases.head(feature)
            row, _ = await control.releases.push(recipe, parent=parent, author="ana", message="")
            draft = StandingDraft(feature=feature, environment="production", kind="promote", release=row.id, by="ana")
            await control.environments.put(draft)
            return row.id
        finally:
            await control.close()

    release = asyncio.run(put())
    wait_until(lambda: ask(installation, feature, "?").headers.get("x-wk-release") == release)
    return release


def ask(installation: Installation, feature: str, question: str, **headers: str) -> httpx.Response:
    return httpx.post(
        f"{installation.base_url}/chat/completions",
        json={"model": f"feature/{feature}", "variables": {"question": question}},
        headers={"authorization": f"Bearer {installation.key}", **headers},
        timeout=20,
    )


def sent(upstream: Upstream) -> str:
    """The last prompt that a model was sent."""
    content: str = json.loads(upstream.received[-1].body)["messages"][-1]["content"]
    return content


def test_a_feature_answers_from_an_index_of_documents_and_is_judged(
    running: Installation, upstream: Upstream, shop: Path
) -> None:
    built = running.cli_json("index", "build", str(shop))
    version = built["version"]["version"]
    retrieval = Retrieval(
        query="{{ question }}", collection="shop", version=version, embedding=EMBEDDING, top_k=1, timeout_s=10.0
    )
    release = put_live(running, "support", retrieval)
    reply = ask(running, "support", "How can I send something back?", **{"x-wk-hits": "crm/ana;score=1"})
    assert reply.status_code == 200, reply.text
    assert sent(upstream) == ("[returns.md] Goods can be sent back within 30 days.\nHow can I send something back?")
    call_id = reply.headers["x-wk-call-id"]
    hits = running.call(call_id)["hits"]
    assert [(hit["collection"], hit["document"], hit["version"]) for hit in hits] == [
        ("crm", "ana", ""),
        ("shop", "returns.md", version),
    ]
    assert "  returns.md  shop  " in running.cli("call", call_id).stdout
    for document in ("returns.md", "ana"):
        assert call_id in [call["id"] for call in running.cli_json("calls", "--document", document)["calls"]]
    assert call_id not in [call["id"] for call in running.cli_json("calls", "--document", "hours.md")["calls"]]
    removed = running.cli("index", "remove", "shop", version)
    assert removed.returncode == 1 and "is what support@production looks into" in removed.stderr
    said = {"call_id": call_id, "name": "thumbs", "score": 1, "label": "up", "id": "f1"}
    for _ in range(2):
        taken = httpx.post(
            f"{running.base_url}/feedback", json=said, headers={"authorization": f"Bearer {running.key}"}
        )
        assert taken.status_code == 202, taken.text
    summed = wait_until(lambda: running.cli_json("feedback", "list", "--by", "release")["releases"])
    assert [(one["feature"], one["release"], one["count"], one["score_mean"], one["labels"]) for one in summed] == [
        ("support", release, 1, 1.0, {"up": 1})
    ]
    assert "thumbs: score 1, up, by key:" in running.cli("call", call_id).stdout
    (shop / "hours.md").write_text("# Hours\n\nWe are open from ten to five.\n")
    changed = running.cli_json("index", "build", str(shop))
    assert (changed["is_new"], changed["embedded"]) == (True, 1)
    assert "nine to five" in ask_sent(running, upstream, "When are you open?"), "a release keeps its version"
    put_live(running, "support", Retrieval(**{**_fields(retrieval), "version": changed["version"]["version"]}))
    assert "ten to five" in ask_sent(running, upstream, "When are you open?")
    assert running.cli("index", "remove", "shop", version).returncode == 0


def ask_sent(running: Installation, upstream: Upstream, question: str) -> str:
    assert ask(running, "support", question).status_code == 200
    return sent(upstream)


def _fields(retrieval: Retrieval) -> dict[str, Any]:
    return {name: getattr(retrieval, name) for name in retrieval.__struct_fields__}


def test_a_feature_answers_from_somebody_elses_knowledge_base_or_says_why_not(
    running: Installation, upstream: Upstream
) -> None:
    put_live(running, "drafts", Retrieval(query="q: {{ question }}", retriever="kb"))
    reply = ask(running, "drafts", "When does it come?")
    assert reply.status_code == 200, reply.text
    assert sent(upstream) == "[article-7] Parcels arrive within two days.\nWhen does it come?"
    assert _KnowledgeBase.asked[-1]["query"] == "q: When does it come?"
    assert _KnowledgeBase.secrets[-1] == "Bearer sk-of-kb"
    call_id = reply.headers["x-wk-call-id"]
    running.call(call_id)
    assert call_id in [call["id"] for call in running.cli_json("calls", "--document", "article-7")["calls"]]
    asked = len(upstream.received)
    _KnowledgeBase.status = 503
    failed = ask(running, "drafts", "When does it come?")
    assert (failed.status_code, failed.json()["error"]["code"]) == (502, "retrieval_failed")
    assert "the retriever `kb`: it answered with the status 503" in failed.json()["error"]["message"]
    assert len(upstream.received) == asked, "no model is paid for an answer without documents"
    put_live(running, "drafts", Retrieval(query="{{ question }}", retriever="kb", on_failure="continue"))
    reply = ask(running, "drafts", "When does it come?")
    assert sent(upstream) == "When does it come?"
    told = running.call(reply.headers["x-wk-call-id"])
    assert told["change"] == "no documents from the retriever `kb`: it answered with the status 503"
    _KnowledgeBase.status = 200


def test_a_folder_of_texts_and_one_of_prompts_are_enough(
    running: Installation, upstream: Upstream, shop: Path, tmp_path: Path
) -> None:
    assert running.cli("index", "build", str(shop), "--collection", "texts").returncode == 0
    prompts = tmp_path / "prompts"
    prompts.mkdir()
    (prompts / "release.yaml").write_text(
        "feature: search\n"
        "model: gpt-4o-mini\n"
        "messages:\n"
        f"  - {{role: user, content: {json.dumps(PROMPT)}}}\n"
        "variables: {question: {type: string}}\n"
        'retrieval: {collection: texts, query: "{{ question }}", top_k: 1, timeout: 10s}\n'
    )
    pushed = running.cli("release", "push", str(prompts))
    assert pushed.returncode == 0, pushed.stderr
    promoted = running.cli("release", "promote", "search", "--to", "production")
    assert promoted.returncode == 0, promoted.stderr
    reply = wait_until(
        lambda: found if (found := ask(running, "search", "When are you open?")).status_code == 200 else None
    )
    assert "nine to five" in sent(upstream)
    assert "[hours.md]" in sent(upstream) and reply.headers["x-wk-release"].startswith("wk1-")
