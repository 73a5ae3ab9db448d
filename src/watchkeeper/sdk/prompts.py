"""Prompts of what is live, for applications that call models themselves."""

import asyncio
import os
import secrets
import weakref
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from watchkeeper.core.clock import Clock, SystemClock
from watchkeeper.releases.bundle import Bundle
from watchkeeper.releases.chat_fields import with_conversation
from watchkeeper.releases.prepared import Prepared, Unusable
from watchkeeper.releases.problems import TemplateProblem, VariableProblem
from watchkeeper.releases.recipe import ID_PREFIX
from watchkeeper.sdk.disk import Disk
from watchkeeper.sdk.errors import CannotRender, Unavailable
from watchkeeper.sdk.fallback import read_fallback
from watchkeeper.sdk.feedback import feedback_body, hits
from watchkeeper.sdk.gateway import Gateway
from watchkeeper.sdk.holding import Asked, Held, Holder
from watchkeeper.sdk.rendered import Rendered, header

TTL_S = 10.0
TIMEOUT_S = 2.0
"""How long the gateway may take to answer before what is kept is used."""
UNIT_LENGTH_MAX = 200
"""Of a subject or session, as far as the gateway reads it."""


class Prompts:
    """The prompts that one key may have of one gateway. Safe to use from several threads, and after a fork."""

    def __init__(
        self,
        base_url: str,
        api_key: str,
        *,
        cache_dir: Path | str | None = None,
        public_key: str = "",
        ttl_s: float = TTL_S,
        timeout_s: float = TIMEOUT_S,
        clock: Clock | None = None,
    ) -> None:
        """Ask nobody yet.

        Args:
            base_url: Of the gateway, as an OpenAI client is given it.
            api_key: A virtual key.
            cache_dir: A folder for what was fetched; without one it is kept in memory only.
            public_key: That bundles must be signed with, in base 64; without it, that of the first one is pinned.
            ttl_s: How old a bundle may become before it is looked at again, in the background.
            timeout_s: How long the gateway may take to answer.
            clock: For tests.
        """
        self.gateway = Gateway(base_url, api_key, timeout_s=timeout_s)
        self._clock = clock or SystemClock()
        folder = Path(cache_dir).expanduser() if cache_dir is not None else None
        disk = None if folder is None else Disk(folder, origin=self.gateway.origin, api_key=api_key)
        self._holder = Holder(self.gateway, disk, public_key, ttl_s=ttl_s, clock=self._clock)
        after_fork = weakref.WeakMethod(self._holder.after_fork)
        os.register_at_fork(after_in_child=lambda: _call(after_fork))

    def prompt(self, feature: str, environment: str = "", *, fallback: Path | str | None = None) -> "Prompt":
        """Return a feature's prompt, which follows what is live from now on.

        Args:
            feature: Its name.
            environment: Whose release; that of the key where nothing is said. `wk1-...` for one release, whatever is
                live.
            fallback: A recipe in the application's own repository (`release.yaml`, its folder, or the recipe as JSON),
                for when the gateway cannot be asked and nothing is kept. What it renders is marked.

        Raises:
            NotServed: it serves nothing there, and there is no fallback.
            AccessRefused: the key is not one for this feature, and there is no fallback.
            Unavailable: the gateway was not reached, nothing is kept that can be used, and there is no fallback.
            CannotRender: the fallback cannot be used.
        """
        release = environment if environment.startswith(ID_PREFIX) else ""
        asked = Asked(feature, "" if release else environment, release)
        found = Prompt(self._holder, self._clock, asked, None if fallback is None else read_fallback(fallback, feature))
        found.look()
        return found

    async def aprompt(self, feature: str, environment: str = "", *, fallback: Path | str | None = None) -> "Prompt":
        """Do as `prompt` without blocking the loop; rendering itself never waits for anybody."""
        return await asyncio.to_thread(self.prompt, feature, environment, fallback=fallback)

    def feedback(self, call_id: str = "", **said: Any) -> dict[str, Any]:
        """Say what an answer was worth; see `sdk.feedback.feedback_body` for what may be said.

        Raises:
            CallerError: the gateway refused it; nothing was kept.
            Unavailable: nobody answered; it may or may not have been kept.
        """
        return self.gateway.rate(**feedback_body(call_id, **said))


class Prompt:
    """A feature's prompt, as it is live whenever it is rendered."""

    def __init__(self, holder: Holder, clock: Clock, asked: Asked, fallback: Prepared | None) -> None:
        self._holder = holder
        self._clock = clock
        self._asked = asked
        self._fallback = fallback

    def look(self) -> None:
        """See that there is something to render. Raises as `Prompts.prompt` does."""
        self._bundle(self._held())

    def render(
        self,
        *,
        subject: str = "",
        session: str = "",
        messages: Sequence[Mapping[str, Any]] = (),
        documents: Sequence[Mapping[str, Any]] | None = None,
        variables: Mapping[str, Any] | None = None,
        **named: Any,
    ) -> Rendered:
        """Render what is live. Asks nobody but the first time, or where the last look has brought nothing.

        Args:
            subject: Whom the call is for: in a rollout, who always gets the same release.
            session: What it belongs to.
            messages: The conversation so far; stands where the release has a place for it, else at the end.
            documents: What the application has found for it, each with `id`, `text`, and perhaps `title`, `score`.
            variables: Those whose names are taken here; the others may be given by name.
            **named: The variables.

        Raises:
            CannotRender: a variable is missing or does not fit; the error names it.
            NotServed, AccessRefused, Unavailable: as for `Prompts.prompt`.
        """
        held = self._held()
        bundle = self._bundle(held)
        release, rollout = ("", "") if bundle is None else bundle.assigned(_unit(bundle, subject, session))
        prepared = self._prepared(held, bundle, release)
        recipe = prepared.recipe
        if recipe.retrieval is not None and documents is None:
            raise CannotRender(
                f"The release {prepared.id} of {recipe.feature} looks documents up in "
                f"`{recipe.retrieval.collection or recipe.retrieval.retriever}`, which only the gateway can: give what "
                f"was found as `documents`, or call the model `feature/{recipe.feature}`.",
                variable="documents",
            )
        about_call = {"x-wk-subject": header(subject), "x-wk-session": header(session)}
        if documents is not None:
            collection = recipe.retrieval.collection if recipe.retrieval is not None else ""
            about_call |= hits(documents, collection=collection)
        said = [dict(message) for message in messages]
        is_stale = bundle is not None and self._holder.is_stale(held)
        return Rendered(
            recipe=recipe,
            release=prepared.id,
            environment="" if bundle is None else bundle.environment,
            rollout=rollout,
            messages=with_conversation(_rendered(prepared, {**named, **(variables or {})}, documents), said),
            is_stale=is_stale,
            stale_since=_moment(held) if is_stale else None,
            is_fallback=bundle is None,
            about_call={name: value for name, value in about_call.items() if value},
        )

    @property
    def release(self) -> str:
        """What stands now; empty where there is nothing but the fallback."""
        bundle = self._held().bundle
        return "" if bundle is None else bundle.release

    @property
    def is_stale(self) -> bool:
        """Whether something else may be live by now."""
        return self._holder.is_stale(self._held())

    def _held(self) -> Held:
        return self._holder.get(self._asked, may_wait=self._fallback is None)

    def _bundle(self, held: Held) -> Bundle | None:
        """Return what was fetched; None where the fallback is to be used."""
        if held.bundle is not None or self._fallback is not None:
            return held.bundle
        trouble = held.trouble or Unavailable(f"{self._asked.name} could not be fetched.")
        raise trouble.with_traceback(None)

    def _prepared(self, held: Held, bundle: Bundle | None, release: str) -> Prepared:
        if bundle is None:
            assert self._fallback is not None
            return self._fallback
        found = held.prepared.get(release)
        if found is None:
            try:
                found = Prepared(bundle.recipes[release])
            except Unusable as problem:
                raise CannotRender(f"The release {release} of {bundle.feature} cannot be used: {problem}.") from None
            held.prepared[release] = found
        return found


def _unit(bundle: Bundle, subject: str, session: str) -> str:
    """Return what keeps its place in a rollout: the same that the gateway takes."""
    if bundle.rollout is None:
        return ""
    return bundle.rollout.unit(subject[:UNIT_LENGTH_MAX], session[:UNIT_LENGTH_MAX]) or secrets.token_hex(16)


def _rendered(
    prepared: Prepared, given: Mapping[str, Any], documents: Sequence[Mapping[str, Any]] | None
) -> list[tuple[str, str]]:
    try:
        complete = prepared.variables.complete(given)
        return [(role, content) for role, content in prepared.render(complete, documents)]
    except VariableProblem as problem:
        raise CannotRender(str(problem), variable=problem.name) from None
    except TemplateProblem as problem:
        named = f"The release {prepared.id} of {prepared.recipe.feature}"
        raise CannotRender(f"{named} cannot be rendered with these variables: {problem}.") from None


def _moment(held: Held) -> datetime | None:
    """When this was last known to be live."""
    return datetime.fromtimestamp(held.confirmed_ns / 1e9, UTC) if held.confirmed_ns else None


def _call(method: "weakref.WeakMethod[Any]") -> None:
    found = method()
    if found is not None:
        found()
