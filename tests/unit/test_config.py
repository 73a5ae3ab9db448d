"""A configuration is taken as a whole or refused with every mistake named, its line and what was probably meant."""

from pathlib import Path

import pytest

from watchkeeper.config.explain import explain
from watchkeeper.config.load import ConfigError, Loaded, default_text, load
from watchkeeper.config.price_lists import PRICE_LISTS
from watchkeeper.config.reference import markdown, schema_text
from watchkeeper.money.book import PriceBook
from watchkeeper.money.genai import installed

DOCS = Path(__file__).parents[2] / "docs"

LOCAL = "providers:\n  local: {base_url: 'http://127.0.0.1:8081/v1'}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "watchkeeper.yaml"


def _load(file: Path, text: str | bytes, **environment: str) -> Loaded:
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    return load(file, environment)


def _problems(file: Path, text: str | bytes, **environment: str) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        _load(file, text, **environment)
    return [str(problem).replace(str(file), file.name) for problem in refused.value.problems]


def test_the_configuration_of_a_first_start_is_valid_and_leaves_no_doubt(file: Path) -> None:
    loaded = _load(file, default_text())
    assert loaded.config.routes["smollm2-135m"].targets == ["local/smollm2-135m"]
    assert loaded.config.providers["local"].price_list == "free"
    assert loaded.warnings == ()


def test_what_is_absent_has_its_default(file: Path) -> None:
    config = _load(file, "routes: {}\n").config
    assert (config.durability, config.providers, config.stores.control) == ("interval", {}, None)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("durabilty: disk", "watchkeeper.yaml:1: durabilty: unknown key; did you mean `durability`?"),
        (
            LOCAL + "routes:\n  support:\n    target: [local/x]\n    targets: [local/x]\n",
            "watchkeeper.yaml:5: routes.support.target: unknown key; did you mean `targets`?",
        ),
        (
            "features:\n  a:\n    onwer: x\n",
            "watchkeeper.yaml:3: features.a.onwer: unknown key; did you mean `owner`?",
        ),
        (
            LOCAL + "routes: {a: {targets: [locl/x]}}",
            "watchkeeper.yaml:3: routes.a.targets[0]: there is no provider `locl`; did you mean `local`?",
        ),
        (
            "providers:\n  p: {base_url: 'https://h.example', price_list: opnai}",
            "watchkeeper.yaml:2: providers.p.price_list: no price list has the name `opnai`; did you mean `openai`?",
        ),
        ("providers: {feature: {base_url: 'http://h'}}", "providers.feature: `feature/NAME` asks for a feature"),
        (LOCAL + "routes: {feature/a: {targets: [local/x]}}", "routes.feature/a: `feature/NAME` asks for a feature"),
        ("features:\n  a:\n  a:\n", "watchkeeper.yaml:3: features.a: the key occurs twice; first on line 2"),
        ("features: {a: {owner: 5}}", "must be text, not the number 5 (quote it to make it text)"),
        ("features: {a: {owner: yes}}", "must be text, not `true` (quote it to make it text)"),
        ("features: [a]", "watchkeeper.yaml:1: features: must be a mapping, not a list"),
        ("features: {a b: {}}", "features.a b: is not a name; use letters"),
        ("durability: both", "durability: must be `interval` or `disk`, not `both`"),
        ("providers: {p: {}}", "watchkeeper.yaml:1: providers.p.base_url: is missing and required"),
        (LOCAL + "routes:\n  a: {targets: []}", "watchkeeper.yaml:4: routes.a.targets: must have at least 1 entry"),
        (LOCAL + "routes: {a: {targets: [gpt-4o]}}", "routes.a.targets[0]: must be written `provider/model`"),
        ("suites: []", "watchkeeper.yaml:1: suites: this key is not supported by version"),
        (LOCAL + "routes: {a: {targets: [local/x], canary: {}}}", "routes.a.canary: this key is not supported"),
        (LOCAL + "routes: {a: {}}", "routes.a: must have either `targets` or `tiers`"),
        (
            LOCAL + "routes: {a: {tiers: {cheap: [local/x]}, fallbacks: [chaep]}}",
            "`chaep` is neither `provider/model` nor a tier of this route; did you mean `cheap`?",
        ),
        (
            LOCAL + "routes: {a: {tiers: {cheap: [local/x]}, rules: [{when: {tools: true}, tier: best}]}}",
            "routes.a.rules[0].tier: there is no tier `best`",
        ),
        (
            LOCAL + "routes: {a: {targets: [local/x], on: {context_length: [locl/y]}}}",
            "routes.a.on.context_length[0]: there is no provider `locl`; did you mean `local`?",
        ),
        (
            LOCAL + "routes: {a: {targets: [local/x], timeouts: {idle: 5}}}",
            "routes.a.timeouts.idle: must be a length of time with its unit, such as `3s`",
        ),
        (LOCAL + "routes: {a: {targets: [local/x], on: {ratelimit: []}}}", "routes.a.on.ratelimit"),
        ("- a", "watchkeeper.yaml:1: must be a mapping, not a list"),
        ("a: [", "watchkeeper.yaml:1: not YAML: while parsing a flow node"),
        (b"a: 1\nb: \xff\n", "watchkeeper.yaml:2: the file is not UTF-8 text"),
        ("a: !!python/name:os.system x", "watchkeeper.yaml:1: a: cannot be read as python/name:os.system; quote it"),
        ("features: {a: {<<: {owner: x}}}", "merge keys (`<<`) are not read"),
        ("a: &a [*a]", "values are nested more than 20 deep"),
        ("[" * 3000, "values are nested more than 20 deep"),
        ("#" * 1_100_000, "watchkeeper.yaml: the file is larger than 1024 KiB"),
        ("metrics: {open: 5}", "watchkeeper.yaml:1: metrics.open: must be true or false, not the number 5"),
        ("metrics: {opne: true}", "watchkeeper.yaml:1: metrics.opne: unknown key; did you mean `open`?"),
        ("stores: {control: mysql://h/d}", "stores.control: must begin with `sqlite:///` or `postgresql://`"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_what_was_meant(file: Path, text: str | bytes, problem: str) -> None:
    assert any(problem in said for said in _problems(file, text))


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("api.openai.com/v1", "must begin with http:// or https:// and a host"),
        ("ftp://h.example", "must begin with http:// or https:// and a host"),
        ("http://", "must begin with http:// or https:// and a host"),
        ("http://h.example:99999/v1", "is not an address"),
        ("https://h.example/v1?key=1", "must not have a query or a fragment"),
        ("https://me:pw@h.example/v1", "must not carry a user or a password"),
        ("https://h.example/v1/chat/completions", "must end before `/chat/completions`"),
        ("https://h.example/a b", "must be one address without blanks"),
    ],
)
def test_an_address_that_cannot_work_is_refused(file: Path, address: str, reason: str) -> None:
    [problem] = _problems(file, f'providers: {{p: {{base_url: "{address}"}}}}')
    assert reason in problem


def test_all_mistakes_of_a_file_are_named_at_once_and_in_order(file: Path) -> None:
    said = _problems(
        file,
        """\
providers:
  a: {base_url: "${NOWHERE}", key: x}
features: {b: {stage: prod}}
routes:
  c: {targets: [d/e], tragets: []}
""",
    )
    assert [problem.split(": ")[1] for problem in said] == [
        "providers.a.base_url",
        "providers.a.key",
        "features.b.stage",
        "routes.c.targets[0]",
        "routes.c.tragets",
    ]


def test_an_alias_that_unfolds_without_end_is_stopped(file: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert any("unfolds to more than" in said for said in _problems(file, "\n".join(lines)))


def test_values_come_from_the_environment_and_from_files(file: Path) -> None:
    (file.parent / "secret").write_text("sk-from-a-file\n")
    loaded = _load(
        file,
        """\
providers:
  a: {base_url: "https://${HOST}/v1/", api_key: "${KEY}"}
  b: {base_url: "https://${HOST:-other.example}/v1", api_key: {file: secret}}
features: {f: {owner: "${NOBODY:-}", cost_owner: "$${KEY}"}}
""",
        HOST="h.example",
        KEY="sk-fake",
    )
    providers = loaded.config.providers
    assert (providers["a"].base_url, providers["a"].api_key) == ("https://h.example/v1", "sk-fake")
    assert (providers["b"].base_url, providers["b"].api_key) == ("https://h.example/v1", "sk-from-a-file")
    assert (loaded.config.features["f"].owner, loaded.config.features["f"].cost_owner) == ("", "${KEY}")
    assert loaded.files == (file, file.parent / "secret")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ('"${KEY}"', "watchkeeper.yaml:2: providers.p.api_key: the environment variable KEY is not set"),
        ('"${KEY"', "`${` begins no reference"),
        ("{file: missing}", "missing cannot be read: No such file or directory"),
        ("{fil: x}", "must be text, `${NAME}` or `{file: PATH}`"),
        ('"two words"', "must consist of visible ASCII characters"),
        ('"a\\r\\nx-injected: 1"', "must consist of visible ASCII characters"),
    ],
)
def test_a_secret_that_cannot_be_had_is_named_without_showing_it(file: Path, value: str, reason: str) -> None:
    [problem] = _problems(file, f"providers:\n  p: {{base_url: 'http://h.example', api_key: {value}}}\n", KEY="")
    assert reason in problem
    assert "two words" not in problem
    assert "injected" not in problem


def test_the_version_changes_with_the_values_and_with_nothing_else(file: Path) -> None:
    text = "providers: {p: {base_url: 'http://h.example', api_key: '${KEY}'}}"
    first = _load(file, text, KEY="a").version
    assert _load(file, f"# a comment\n{text}\n", KEY="a").version == first
    assert _load(file, text, KEY="b").version != first


def test_what_is_allowed_but_doubtful_is_said(file: Path) -> None:
    loaded = _load(
        file, LOCAL + "features: {f: {stage: production}}\nroutes:\n  local/a: {targets: [local/b, local/b]}\n"
    )
    said = " | ".join(str(warning) for warning in loaded.warnings)
    assert "this route hides the target of the same name" in said
    assert "a target occurs twice" in said
    assert "there is no owner and no cost_owner" in said


def test_every_value_says_where_it_came_from_and_no_secret_is_shown(file: Path) -> None:
    text = "providers:\n  p:\n    base_url: http://h.example\n    api_key: ${KEY}\nstores: {control: 'postgresql://u:pw@h/d'}"
    loaded = _load(file, text, KEY="sk-fake")
    shown = {setting.name: (setting.value, setting.source) for setting in explain(loaded)}
    assert shown["providers.p.base_url"] == ("http://h.example", "watchkeeper.yaml:3")
    assert shown["providers.p.api_key"] == ("set", "watchkeeper.yaml:4, environment KEY")
    assert shown["providers.p.dialect"] == ("openai", "default")
    assert shown["metrics.open"] == ("false", "default")
    assert shown["stores.control"] == ("postgresql://u:***@h/d", "watchkeeper.yaml:5")
    assert "sk-fake" not in repr(loaded)


def test_the_price_lists_a_configuration_may_name_are_those_of_the_book() -> None:
    assert list(PRICE_LISTS) == sorted(PriceBook.of(installed()).names)


@pytest.mark.parametrize(
    ("name", "text"), [("configuration.md", markdown()), ("watchkeeper.schema.json", schema_text())]
)
def test_the_published_description_is_that_of_the_schema(name: str, text: str) -> None:
    assert (DOCS / name).read_text("utf-8") == text, "run `python -m watchkeeper.config.reference docs`"
