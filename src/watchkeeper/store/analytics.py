"""The analytics store: ClickHouse SQL, in this process through chDB or on a server, by the same questions."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from watchkeeper.core.errors import OperatorError
from watchkeeper.core.ids import CallId, is_call_id, made_at_ms
from watchkeeper.store import corrections, hours, overview
from watchkeeper.store.batch import CallBatch, Row, Rows
from watchkeeper.store.charges import Booked, booked
from watchkeeper.store.corrections import Correction, StoredCost, Stretch
from watchkeeper.store.cost import CostQuestions
from watchkeeper.store.details import ROW_COLUMNS, attempt_row, call_detail, call_row
from watchkeeper.store.drift_figures import DriftQuestions
from watchkeeper.store.exports import Exports
from watchkeeper.store.feedback import Feedback
from watchkeeper.store.hours import HourRow, RunawayRow, UnpricedModel
from watchkeeper.store.indexes import Indexes
from watchkeeper.store.questions import ID_SLACK, migrations, near, sql, where
from watchkeeper.store.release_figures import OutputShare, ReleaseQuestions
from watchkeeper.store.rollout_figures import RolloutQuestions
from watchkeeper.store.rows import CallDetail, CallFilter, CallPage, CallRow, Facet, Overview
from watchkeeper.store.scores import Scores
from watchkeeper.store.value import ValueEvents
from watchkeeper.store.waste import WasteQuestions

READERS = 4
"""Questions answered at once; further ones wait."""
MEMORY_BYTES_MAX = 2 * 1024**3
"""Of one question; a larger one fails instead of taking the keeper with it."""
SPILL_BYTES = MEMORY_BYTES_MAX // 4
"""Of groups and of what is sorted; beyond it they go to disk, so that a question may have any number of groups."""
SECONDS_MAX = 30
LIMITS: dict[str, int] = {
    "max_memory_usage": MEMORY_BYTES_MAX,
    "max_execution_time": SECONDS_MAX,
    "max_bytes_before_external_group_by": SPILL_BYTES,
    "max_bytes_before_external_sort": SPILL_BYTES,
    "join_use_nulls": 0,
}
HAS_MEMORY_FILES = hasattr(os, "memfd_create")
ENGINE_OPTIONS = {
    "max_server_memory_usage": 3 * 1024**3,
    "mark_cache_size": 256 * 1024**2,
    "index_mark_cache_size": 64 * 1024**2,
    "primary_index_cache_size": 256 * 1024**2,
    "text_index_tokens_cache_size": 64 * 1024**2,
    "text_index_header_cache_size": 64 * 1024**2,
    "text_index_postings_cache_size": 128 * 1024**2,
    "vector_similarity_index_cache_size": 0,
    "os_threads_nice_value_merge_mutate": 10,
}
"""Of the embedded engine, which by default takes up to nine tenths of the memory; merging parts waits for others."""
INSERT_SETTINGS = {"exclude_materialize_skip_indexes_on_insert": "words_text"}
"""The index of words, a seventh of the work of an insert, is made when parts are merged; until then search reads the
words of these few rows."""
FACET_FIELDS = ("feature", "tenant", "provider", "model", "status", "error_class", "key_id")
FACET_VALUES = 12
_FACET_PLACES = {127 - (64 >> place): place for place in range(len(FACET_FIELDS))}
"""Which facet a row is of, by the bits of the others."""
LATEST_MS = 9_000_000_000_000
"""The year 2255; the store's times end in 2299, while an id may claim any time up to the year 10889."""


class StoreUnusable(OperatorError):
    """The analytics store cannot be opened; nothing in it was changed."""

    code = "analytics_store"


class AnalyticsStore:
    """Asks and answers; every method may be used from any thread or task.

    Args:
        url: `chdb:///folder` for the embedded store, `clickhousedb://user:password@host/database` for a server. It is
            opened when it is first asked, unless `open` has done so; a question then fails as `open` would.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._opening = threading.Lock()
        self._is_open = False
        self._is_embedded = urlsplit(url).scheme == "chdb"
        self._local = threading.local()
        self._clients: list[Any] = []
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="analytics")
        self._adding = threading.Lock()
        self.cost = CostQuestions(self._ask)
        self.rollouts = RolloutQuestions(self._ask)
        self.releases = ReleaseQuestions(self._ask)
        self.drift = DriftQuestions(self._ask)
        self.waste = WasteQuestions(self._ask)
        self.value = ValueEvents(self._ask, self._add_once)
        self.indexes = Indexes(self._ask, self._insert_rows, self._command)
        self.feedback = Feedback(self._ask, self._insert_rows)
        self.scores = Scores(self._ask, self._insert_rows)
        self.exports = Exports(self._client, Path(urlsplit(url).path) if self._is_embedded else None)

    @classmethod
    def open(cls, url: str) -> Self:
        """Open a store and bring its schema up to date.

        Raises:
            StoreUnusable: it cannot be opened, or a newer version has written it.
        """
        store = cls(url)
        try:
            store._open()
        except StoreUnusable:
            store.close()  # the embedded engine would keep this folder, and take no other
            raise
        return store

    def close(self) -> None:
        """Finish what is being answered and let go of the store."""
        self._readers.shutdown()
        self.exports.close()
        for client in self._clients:
            client.close()
        self._clients.clear()

    def insert_calls(self, batch: CallBatch, *, token: str) -> None:
        """Insert a batch; a second time under the same token adds nothing.

        A call comes last: whoever finds it finds all of it.
        """
        self._insert("feedback_inbox", batch.inbox, token)
        self._insert("attempts", batch.attempts, token)
        self._insert("bodies", batch.bodies, token)
        self._insert("charges", batch.charges, token)
        self._insert("calls", batch.calls, token)

    async def calls(self, chosen: CallFilter, *, before: str | None = None, limit: int = 50) -> CallPage:
        """Return a page of calls, newest first."""
        conditions, values = where(chosen, before=before)
        text = sql("calls").format(columns=ROW_COLUMNS, where=conditions)
        found = await self._ask(text, values | {"limit": limit + 1})
        rows = tuple(call_row(row) for row in found[:limit])
        return CallPage(rows=rows, next_before=rows[-1].id if len(found) > limit else None)

    async def call(self, call_id: str) -> CallDetail | None:
        """Return everything known of a call; None when there is none of this id."""
        if not is_call_id(call_id) or made_at_ms(CallId(call_id)) > LATEST_MS:
            return None
        values = near(CallId(call_id))
        found = await self._ask(sql("call").format(columns=ROW_COLUMNS), values)
        if not found:
            return None
        attempts, bodies = await asyncio.gather(
            self._ask(sql("attempts"), values), self._ask(sql("bodies"), values, as_bytes=True)
        )
        return call_detail(found[0], tuple(attempt_row(row) for row in attempts), bodies[0] if bodies else None)

    async def texts(self, ids: Sequence[CallId]) -> list[tuple[CallRow, bytes, bytes]]:
        """Return some calls with the recorded bodies of request and response; one that is not stored is left out."""
        if not ids:
            return []
        made = [datetime.fromtimestamp(made_at_ms(one) / 1000, UTC) for one in ids]
        values = {"ids": list(ids), "from": min(made) - ID_SLACK, "to": max(made) + ID_SLACK}
        rows, bodies = await asyncio.gather(
            self._ask(sql("scores_calls").format(columns=ROW_COLUMNS), values),
            self._ask(sql("scores_texts"), values, as_bytes=True),
        )
        found = {bytes(call_id).decode(): (request, response) for call_id, request, response in bodies}
        return [(row, *found.get(row.id, (b"", b""))) for row in map(call_row, rows)]

    async def booked(self, call_id: str) -> Booked:
        """Return what is on the books about a call; nothing for one that is not there."""
        return await booked(self._ask, CallId(call_id))

    async def count(self, chosen: CallFilter) -> int:
        """Count the calls of a filter."""
        conditions, values = where(chosen)
        ((found,),) = await self._ask(sql("count").format(where=conditions), values)
        return int(found)

    async def facets(self, chosen: CallFilter) -> tuple[Facet, ...]:
        """Count the values of each facet field, the most frequent first."""
        conditions, values = where(chosen)
        fields, sets = ", ".join(FACET_FIELDS), ", ".join(f"({name})" for name in FACET_FIELDS)
        text = sql("facets").format(fields=fields, sets=sets, where=conditions, values=FACET_VALUES)
        counted: dict[str, list[tuple[str, int]]] = {name: [] for name in FACET_FIELDS}
        for others, calls, *row in await self._ask(text, values):
            place = _FACET_PLACES[others]
            counted[FACET_FIELDS[place]].append((str(row[place]), int(calls)))
        return tuple(Facet(field=name, values=tuple(found)) for name, found in counted.items())

    async def overview(self, since: datetime, until: datetime, *, steps: int, where: CallFilter) -> Overview:
        """Answer the overview's questions for a window cut into equal steps."""
        return await overview.answer(self._ask, since, until, steps=steps, chosen=where)

    async def hourly(self, chosen: CallFilter) -> tuple[HourRow, ...]:
        """Return the hours of a filter in which there were calls, oldest first."""
        return await hours.hourly(self._ask, chosen)

    async def spenders(self, chosen: CallFilter, *, least_nusd: int, limit: int) -> tuple[str, ...]:
        """Return the features that cost at least so much, what costs most first."""
        return await hours.spenders(self._ask, chosen, least_nusd=least_nusd, limit=limit)

    async def unpriced(self, since: datetime, until: datetime, *, limit: int) -> tuple[UnpricedModel, ...]:
        """Return the models whose price is not known, the most called first."""
        return await hours.unpriced(self._ask, since, until, limit=limit)

    async def runaways(self, since: datetime, until: datetime, *, limit: int) -> tuple[RunawayRow, ...]:
        """Return what the guard has stopped, what was stopped most first."""
        return await hours.runaways(self._ask, since, until, limit=limit)

    async def output_shares(
        self, since: datetime, late: datetime, until: datetime, *, limit: int
    ) -> tuple[OutputShare, ...]:
        """Return what became of answers by feature, since `late` and before it; see `ReleaseQuestions`."""
        return await self.releases.output_shares(since, late, until, limit=limit)

    async def follow(self, after: str | None, chosen: CallFilter, limit: int = 100) -> tuple[str, tuple[CallRow, ...]]:
        """Return calls stored behind a cursor, oldest first, and the cursor behind them.

        Without a cursor nothing is returned but the cursor behind everything that is stored now.
        """
        if after is None:
            found = await self._ask(sql("latest"), {})
            return (overview.cursor(found[0][1], found[0][0]) if found else overview.CURSOR_START), ()
        after_us, after_id = overview.read_cursor(after)
        conditions, values = where(chosen)
        text = sql("follow").format(columns=ROW_COLUMNS + ", stored_at", where=conditions)
        rows = await self._ask(text, values | {"after_us": after_us, "after_id": after_id, "limit": limit})
        if not rows:
            return after, ()
        return overview.cursor(rows[-1][-1], rows[-1][0]), tuple(call_row(row[:-1]) for row in rows)

    async def stored_costs(self, stretch: Stretch, *, after: str = "", limit: int = 5_000) -> list[StoredCost]:
        """Return the calls of a stretch behind an id, in the order of their ids, as they can be priced again."""
        return await corrections.page(self._ask, stretch, after=after, limit=limit)

    async def insert_corrections(self, found: Sequence[Correction]) -> None:
        """Write down what calls cost after all."""
        if found:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._readers, self._insert_corrections, corrections.encoded(found))

    async def stored_ids(self, ids: Sequence[str]) -> frozenset[str]:
        """Return which of these calls are stored."""
        known = [one for one in ids if is_call_id(one) and made_at_ms(CallId(one)) <= LATEST_MS]
        if not known:
            return frozenset()
        made = [datetime.fromtimestamp(made_at_ms(CallId(one)) / 1000, UTC) for one in known]
        values = {"ids": known, "from": min(made) - ID_SLACK, "to": max(made) + ID_SLACK}
        return frozenset([str(row[0]) for row in await self._ask(sql("stored_ids"), values)])

    async def charge_sums(self) -> dict[str, int]:
        """Return what all stored calls took from each account; what nobody could price counts as 0."""
        return {str(key): int(amount) for key, amount in await self._ask(sql("charge_sums"), {})}

    async def budget_notes(self, since: datetime, until: datetime) -> dict[str, int]:
        """Count the calls of a window to which budgets did something, by what they did: `refused ID` and others."""
        found = await self._ask(sql("budget_notes"), {"since": since, "until": until})
        return {str(note): int(calls) for note, calls in found}

    async def price_in_use(self, since: datetime) -> tuple[str, datetime | None] | None:
        """Return the source of the latest price that a call was booked with, and from when it holds; None for none."""
        found = await self._ask(sql("price_in_use"), {"since": since})
        return (str(found[0][0]), found[0][1]) if found else None

    async def stats(self) -> dict[str, Any]:
        """Tell what the store holds: calls, bytes on disk, days, and the oldest day (YYYYMMDD)."""
        ((calls, size, days, oldest),) = await self._ask(sql("stats"), {})
        return {"calls": int(calls), "bytes": int(size), "days": int(days), "oldest": str(oldest)}

    async def _ask(self, text: str, values: dict[str, Any], *, as_bytes: bool = False) -> Sequence[Row]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, self._query, text, values, as_bytes)

    def _query(self, text: str, values: dict[str, Any], as_bytes: bool) -> Sequence[Row]:
        formats = {"String": "bytes"} if as_bytes else None
        found = self._client().query(text, parameters=values, query_formats=formats, settings=LIMITS)
        rows: Sequence[Row] = found.result_rows
        return rows

    def _insert_corrections(self, lines: bytes) -> None:
        self._client().raw_insert("corrections", corrections.CORRECTION_COLUMNS, lines, fmt="JSONEachRow")

    async def _insert_rows(self, table: str, rows: Rows, token: str) -> None:
        await asyncio.get_running_loop().run_in_executor(self._readers, self._insert, table, rows, token)

    async def _command(self, text: str, values: dict[str, Any]) -> None:
        def run() -> None:
            self._client().command(text, parameters=values)

        await asyncio.get_running_loop().run_in_executor(self._readers, run)

    async def _add_once(self, look: str, insert: str, values: dict[str, Any]) -> Sequence[Row]:
        """Return what is there already; where nothing is, insert, and return nothing."""

        def add() -> Sequence[Row]:
            with self._adding:
                found = self._query(look, values, False)
                if not found:
                    self._client().command(insert, parameters=values)
                return found

        return await asyncio.get_running_loop().run_in_executor(self._readers, add)

    def _insert(self, table: str, rows: Rows, token: str) -> None:
        settings = {"insert_deduplication_token": f"{token}:{table}", "insert_deduplicate": 1} | INSERT_SETTINGS
        with rows.payload as payload:
            if not payload:
                return
            if not (self._is_embedded and HAS_MEMORY_FILES):
                self._client().raw_insert(table, rows.names, bytes(payload), fmt="MsgPack", settings=settings)
                return
            # The driver would hand bodies in clear to the embedded engine in a file in the system's folder for such.
            with _in_memory_file(table, payload) as path:
                self._client().command(
                    f"INSERT INTO {table} ({', '.join(rows.names)}) FROM INFILE '{path}' FORMAT MsgPack",
                    settings=settings,
                )

    def _open(self) -> None:
        with self._opening:
            if self._is_open:
                return
            # The driver, and the engine behind it, take most of a second; a command that asks for keys needs neither.
            from clickhouse_connect.driver.exceptions import ClickHouseError

            parts = urlsplit(self._url)
            try:
                if self._is_embedded:
                    Path(parts.path).mkdir(mode=0o700, parents=True, exist_ok=True)
                self._migrate()
            except (ClickHouseError, OSError) as error:
                place = parts._replace(netloc=parts.hostname or "").geturl()
                raise StoreUnusable(f"The analytics store at {place} cannot be opened: {error}") from error
            self._is_open = True

    def _migrate(self) -> None:
        client = self._own_client()
        client.command(
            "CREATE TABLE IF NOT EXISTS schema_steps (number UInt32, done_at DateTime DEFAULT now()) "
            "ENGINE = MergeTree ORDER BY number"
        )
        done = {int(row[0]) for row in client.query("SELECT number FROM schema_steps").result_rows}
        steps = migrations()
        if done and max(done) > steps[-1][0]:
            raise StoreUnusable(
                f"The analytics store is at step {max(done)} and this version knows {steps[-1][0]}: "
                "a newer version wrote it. Start that version, or use another data folder. Nothing was changed."
            )
        for number, text in steps:
            if number not in done:
                for statement in statements(text):
                    client.command(statement)
                client.command(f"INSERT INTO schema_steps (number) VALUES ({number:d})")

    def _client(self) -> Any:
        if not self._is_open:
            self._open()
        return self._own_client()

    def _own_client(self) -> Any:
        """Return this thread's own client: a client is not for two threads, the store behind it is."""
        client = getattr(self._local, "client", None)
        if client is None:
            import clickhouse_connect  # see `_open`

            options: dict[str, Any] = {"chdb_options": ENGINE_OPTIONS} if self._is_embedded else {}
            client = self._local.client = clickhouse_connect.get_client(dsn=self._url, tz_mode="aware", **options)
            self._clients.append(client)
        return client


@contextlib.contextmanager
def _in_memory_file(name: str, content: memoryview) -> Iterator[str]:
    """Give content a path for as long as the block runs, without writing it to a disk."""
    handle = os.memfd_create(name)
    try:
        written = 0
        while written < len(content):
            written += os.write(handle, content[written:])
        yield f"/proc/self/fd/{handle}"
    finally:
        os.close(handle)


def statements(text: str) -> list[str]:
    """Split a migration into its statements; a semicolon ends one only at the end of a line."""
    parts = [part.strip() for part in text.split(";\n")]
    return [part for part in parts if any(line and not line.startswith("--") for line in part.splitlines())]
