"""Routes for the tests of failover: the primary is the provider `scripted`, the other one `spare`."""

from watchkeeper.gateway.snapshot import (
    BreakerSettings,
    CacheSettings,
    FaultRule,
    Handling,
    Retries,
    RouteEntry,
    Rule,
    Target,
    Timeouts,
    When,
)

PRIMARY = Target("scripted", "gpt-4o-mini")
SPARE = Target("spare", "gpt-4o")
LARGE = Target("spare", "large")
QUICK = Retries(backoff_s=0.01, backoff_max_s=0.02)
CACHE = CacheSettings(ttl_s=60, scope=("tenant", "release"), keep_s=600)
FOREVER_NS = 2**62
EVEN = {"scripted/gpt-4o-mini": 1.0, "spare/gpt-4o": 1.0}


def _route(name: str, **settings: object) -> RouteEntry:
    return RouteEntry(name, (PRIMARY,), **{"fallbacks": (SPARE,), "retries": QUICK, **settings})  # type: ignore[arg-type]  # the names are those of the fields


def _fault(kind: str) -> RouteEntry:
    return _route(f"fault-{kind}", fallbacks=(), breaker=BreakerSettings(failures=1000))


_ALL = (
    _route("two"),
    _route("one", fallbacks=()),
    _route("patient", timeouts=Timeouts(first_token_s=0.3, reply_s=0.3, idle_s=0.3, total_s=20)),
    _route("hasty", fallbacks=(), timeouts=Timeouts(total_s=1.0)),
    _route("whole", commit="complete"),
    _route("going-on", commit="continue"),
    _route("larger", handling={"context_length": Handling(falls_back=True, targets=(LARGE,))}),
    _route("trimmed", handling={"context_length": Handling(trims=True)}),
    _route("summarised", handling={"context_length": Handling(summarise=LARGE)}),
    _route("graceful", handling={"capacity": Handling(retry=0, falls_back=False, answer="Please try again later.")}),
    _route(
        "remembering",
        cache=CACHE,
        handling={"capacity": Handling(retry=0, falls_back=False, cached_s=600)},
    ),
    _route("insisting", handling={"bad_request": Handling(retry=1, falls_back=True)}),
    _route("broken", breaker=BreakerSettings(failures=4, open_s=10, open_max_s=40, ramp_s=10)),
    _route("lonely", fallbacks=(), breaker=BreakerSettings(failures=2, open_s=10, open_max_s=40, ramp_s=0)),
    _route("cached", fallbacks=(), cache=CACHE),
    RouteEntry("quickest", (PRIMARY, SPARE), strategy="latency", retries=QUICK),
    RouteEntry("cheapest", (SPARE, PRIMARY), strategy="price", retries=QUICK),
    RouteEntry(
        "split",
        (PRIMARY, SPARE),
        strategy="weights",
        weights=EVEN,
        retries=QUICK,
    ),
    RouteEntry(
        "sticky",
        (PRIMARY, SPARE),
        strategy="weights",
        sticky="session",
        weights=EVEN,
        retries=QUICK,
    ),
    RouteEntry(
        "tiered",
        (PRIMARY,),
        tier="cheap",
        tiers={"cheap": (PRIMARY,), "best": (SPARE,)},
        rules=(
            Rule(When(tools=True), "best"),
            Rule(When(tokens_over=100), "best"),
            Rule(When(language=("de",)), "best"),
            Rule(When(metadata={"plan": "gold"}, tenant=("acme",)), "best"),
            Rule(When(tags=("vip",)), "best"),
        ),
        retries=QUICK,
    ),
    RouteEntry("tiers", (PRIMARY,), tier="best", tiers={"best": (PRIMARY,), "cheap": (SPARE,)}, retries=QUICK),
    _route("falls-to-unpriced", handling={"capacity": Handling(falls_back=True, targets=(Target("unpriced", "x"),))}),
    _route("limiting", fallbacks=(), missing_max_tokens=77),
    *(_fault(kind) for kind in ("rate_limit", "server_error", "reset", "slow_first_token", "slow_drip", "cut")),
    *(_fault(kind) for kind in ("malformed_chunk", "wrong_usage")),
    _fault("half"),
    _fault("over"),
    _fault("acme"),
)

ROUTES: dict[str, RouteEntry] = {route.name: route for route in _ALL}


def _rule(kind: str, **settings: object) -> FaultRule:
    fields = {
        "id": f"f-{kind}",
        "kind": kind,
        "route": f"fault-{kind}",
        "share": 1.0,
        "until_ns": FOREVER_NS,
        **settings,
    }
    return FaultRule(**fields)  # type: ignore[arg-type]  # as above


FAULTS: tuple[FaultRule, ...] = (
    _rule("rate_limit", seconds=1),
    _rule("server_error", status=503),
    _rule("reset"),
    _rule("slow_first_token", seconds=0.3),
    _rule("slow_drip", seconds=0.05),
    _rule("cut", after=2),
    _rule("malformed_chunk", after=2),
    _rule("wrong_usage"),
    _rule("server_error", id="f-half", route="fault-half", share=0.5),
    _rule("server_error", id="f-over", route="fault-over", until_ns=1),
    _rule("server_error", id="f-acme", route="fault-acme", tenant="acme"),
)
