"""Providers that are asked without the gateway: an echo, a Python file, a command, any HTTP endpoint."""

import asyncio
import shlex
import time
from collections.abc import Mapping
from decimal import InvalidOperation
from typing import Any

import httpx

from watchkeeper.core.money import nusd
from watchkeeper.evals.promptfoo.documents import as_text, read_json, write_json
from watchkeeper.evals.promptfoo.errors import CaseFailed
from watchkeeper.evals.promptfoo.model import Provider, ProviderOutput, Tokens
from watchkeeper.evals.promptfoo.rendering import Rendering
from watchkeeper.evals.promptfoo.scripts import Scripts, split_function

COMMAND_S = 300.0
REPLY_BYTES_MAX = 64 * 1024 * 1024
_UNSUPPORTED = ("request", "auth", "signatureAuth", "tls", "session", "multipart", "tokenEstimation", "sessionParser")
"""Settings of an HTTP provider that change what is sent, and are not read here."""


def echo(prompt: str) -> ProviderOutput:
    """Answer with the prompt."""
    return ProviderOutput(output=prompt, raw=prompt, cost_nusd=0, latency_ms=0.0)


async def ask_python(
    path: str, provider: Provider, prompt: str, context: Mapping[str, Any], scripts: Scripts
) -> ProviderOutput:
    """Call `call_api(prompt, options, context)`, or the function that the path names. Raises CaseFailed."""
    name, function = split_function(path)
    options = {"id": provider.id, "config": {**provider.config, "basePath": str(scripts.folder)}}
    started = time.monotonic()
    said = await asyncio.to_thread(
        scripts.call, scripts.folder / name, function, [prompt, options, dict(context)], default="call_api"
    )
    if not isinstance(said, dict) or not ("output" in said or "error" in said):
        raise CaseFailed(f"The Python script {path} must return a dictionary with `output` or `error`.")
    return _output(said, started)


async def run_command(
    command: str, provider: Provider, prompt: str, context: Mapping[str, Any], scripts: Scripts
) -> ProviderOutput:
    """Run a command with the prompt, the options and the context behind its arguments; what it prints is the answer.

    Raises:
        CaseFailed: it fails, does not end within COMMAND_S, or says nothing but errors.
    """
    words = [*shlex.split(command), prompt, write_json({"config": dict(provider.config)}), write_json(dict(context))]
    started = time.monotonic()
    try:
        process = await asyncio.create_subprocess_exec(
            *words, cwd=scripts.folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
    except OSError as error:
        raise CaseFailed(f"exec:{command} cannot be run: {error.strerror}.") from None
    try:
        out, problems = await asyncio.wait_for(process.communicate(), COMMAND_S)
    except (TimeoutError, asyncio.CancelledError) as stopped:
        process.kill()
        await process.wait()
        if isinstance(stopped, asyncio.CancelledError):
            raise
        raise CaseFailed(f"exec:{command} did not end within {COMMAND_S:g} s and was stopped.") from None
    text = out.decode("utf-8", "replace").strip()
    if process.returncode or not text:
        why = problems.decode("utf-8", "replace").strip()[:500]
        raise CaseFailed(f"exec:{command} ended with {process.returncode}: {why or 'it said nothing'}")
    return _output({"output": text}, started)


async def ask_http(
    url: str,
    provider: Provider,
    prompt: str,
    variables: Mapping[str, Any],
    rendering: Rendering,
    client: httpx.AsyncClient,
) -> ProviderOutput:
    """Ask an HTTP endpoint as the provider's `config` says.

    Raises:
        CaseFailed: it cannot be reached, answers with an error, or a setting is not read here.
    """
    config = provider.config
    if strange := [name for name in _UNSUPPORTED if config.get(name)]:
        raise CaseFailed(f"The HTTP provider's setting `{strange[0]}` is not read here; the endpoint was not asked.")
    given = {**variables, "prompt": prompt}
    if code := config.get("transformRequest"):
        given["prompt"] = await asyncio.to_thread(_request, code, prompt, given, rendering)
    body = config.get("body")
    is_text = isinstance(body, str) and not body.startswith("file://")
    sent = None if body is None else _filled(rendering.files.loaded(body), given, rendering)
    headers = {str(key): str(value) for key, value in rendering.inside(config.get("headers") or {}, given).items()}
    started = time.monotonic()
    try:
        reply = await client.request(
            str(config.get("method") or ("GET" if body is None else "POST")).upper(),
            rendering.inside(str(config.get("url") or url), given),
            params=rendering.inside(config.get("queryParams") or {}, given),
            headers={"content-type": "application/json", **{key.lower(): value for key, value in headers.items()}},
            content=None if sent is None else sent if is_text and isinstance(sent, str) else write_json(sent),
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CaseFailed(f"HTTP call error: {str(error) or type(error).__name__}") from None
    return await asyncio.to_thread(_read_reply, reply, config, started, rendering)


def _read_reply(
    reply: httpx.Response, config: Mapping[str, Any], started: float, rendering: Rendering
) -> ProviderOutput:
    is_accepted = 200 <= reply.status_code < 300
    if code := config.get("validateStatus"):
        is_accepted = bool(rendering.scripts.transformed(str(code), reply.status_code, {}, named="status"))
    if not is_accepted:
        raise CaseFailed(f"HTTP call failed with status {reply.status_code} {reply.reason_phrase}: {reply.text[:500]}")
    text = reply.text
    try:
        content = read_json(text)
    except ValueError:
        content = None
    code = config.get("transformResponse") or config.get("responseParser")
    made: Any = text if content is None else content
    if code:
        context = {"response": {"status": reply.status_code, "headers": dict(reply.headers), "data": content}}
        made = rendering.scripts.answer_of(str(code), content, text, context)
    said = made if isinstance(made, dict) and ("output" in made or "error" in made) else {"output": made}
    return _output({**said, "raw": text}, started)


def _request(code: Any, prompt: str, variables: Mapping[str, Any], rendering: Rendering) -> Any:
    text = str(code)
    if "{{" in text:
        return rendering.plain.render(text, variables)
    return rendering.scripts.transformed(text, prompt, {"vars": dict(variables)}, named="prompt")


def _filled(value: Any, variables: Mapping[str, Any], rendering: Rendering) -> Any:
    """Render what is sent; a text that becomes JSON by that is sent as what it says."""
    match value:
        case str():
            text = rendering.plain.render(value, variables)
            try:
                return read_json(text) if text != value or text[:1] in "[{" else text
            except ValueError:
                return text
        case list():
            return [_filled(item, variables, rendering) for item in value]
        case dict():
            return {key: _filled(item, variables, rendering) for key, item in value.items()}
        case _:
            return value


def _output(said: Mapping[str, Any], started: float) -> ProviderOutput:
    """Read what a provider says, in promptfoo's words."""
    usage = said.get("tokenUsage") or {}
    error = said.get("error")
    logprobs = said.get("logProbs")
    return ProviderOutput(
        output=said.get("output"),
        error=as_text(error) if error else "",
        raw=said.get("raw"),
        cost_nusd=_cost(said.get("cost")),
        latency_ms=round((time.monotonic() - started) * 1000, 3),
        is_cached=bool(said.get("cached")),
        tokens=Tokens(
            total=_count(usage.get("total")),
            prompt=_count(usage.get("prompt")),
            completion=_count(usage.get("completion")),
            cached=_count(usage.get("cached")),
            requests=_count(usage.get("numRequests")) or 1,
        ),
        logprobs=tuple(logprobs) if isinstance(logprobs, list) else None,
        finish_reason=str(said.get("finishReason") or ""),
        is_refusal=bool(said.get("isRefusal")),
        guardrails=said.get("guardrails"),
        metadata=said.get("metadata") or {},
    )


def _cost(value: Any) -> int | None:
    try:
        return nusd(str(value)) if isinstance(value, int | float) and not isinstance(value, bool) else None
    except (InvalidOperation, ValueError):
        return None


def _count(value: Any) -> int:
    return int(value) if isinstance(value, int | float) else 0
