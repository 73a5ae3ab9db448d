"""Templates are written by people who are not all friends, and rendered with what strangers send."""

import json
import time
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.releases.problems import TemplateProblem
from watchkeeper.releases.templates import CHARACTERS_MAX, SECONDS_MAX, Text

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
LARGE: dict[str, Any] = {"l": list(range(300_000)), "s": "s" * 1_000_000, "d": {"k": 1}}


def render(source: str, **variables: Any) -> str:
    return Text(source).render(variables)


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ a }}, {{ d.k }}, {{ d['k'] }}, {{ l[1] }}", "x, 1, 1, 2"),
        ("{% for one in l %}{{ loop.index }}:{{ one }}{{ ' ' if not loop.last }}{% endfor %}", "1:1 2:2 3:3"),
        ("{% for k, v in d|items %}{{ k }}={{ v }}{% endfor %}", "k=1"),
        ("{% if nothing is defined %}there{% else %}not there{% endif %}", "not there"),
        ("{{ nothing|default('none') }} {{ a|upper|trim }}", "none X"),
        ("{{ d }} {{ l }} {{ yes }} {{ nil }}|", '{"k":1} [1,2,3] true |'),
        ("{# a comment #}{% raw %}{{ a }}{% endraw %}", "{{ a }}"),
        ("<b>{{ mark }}</b>", "<b><i></b>"),
        ("{{ 2.675|round(1) }} {{ 2|round }}", "2.7 2"),
    ],
)
def test_prompts_are_written_as_their_authors_mean_them(source: str, text: str) -> None:
    assert render(source, a="x", d={"k": 1}, l=[1, 2, 3], yes=True, nil=None, mark="<i>") == text


@pytest.mark.parametrize(
    "source",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ s.__class__ }}",
        "{{ s['__class__'] }}",
        "{{ s.format }}",
        "{{ d.keys }}",
        "{{ d.__class__ }}",
        "{{ self }}",
        "{{ self.__init__ }}",
        "{{ loop }}",
        "{% for x in l %}{{ loop }}{% endfor %}",
        "{% for x in l %}{{ loop.__class__ }}{% endfor %}",
        "{% for x in l %}{{ loop._iterable }}{% endfor %}",
        "{{ s|attr('__class__') }}",
        "{{ [s]|map(attribute='__class__')|list }}",
        "{{ cycler }}",
        "{{ lipsum.__globals__ }}",
        "{{ config }}",
        "{% import 'os' as os %}",
        "{% include '/etc/passwd' %}",
        "{% include s %}",
        "{% extends 'x' %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% set x = s %}",
        "{% set ns = namespace() %}",
        "{{ s.join(l) }}",
        "{{ range(9) }}",
        "{% for x in l recursive %}{{ loop(l) }}{% endfor %}",
    ],
)
def test_nothing_of_python_can_be_reached(source: str) -> None:
    with pytest.raises(TemplateProblem):
        render(source, s="text", d={"k": 1}, l=[1])


@pytest.mark.parametrize(
    "source",
    [
        "{{ 9**9**9**9 }}",
        "{{ 'a' * 10000000000 }}",
        "{{ '%9999999999d' % 1 }}",
        "{{ 1|round(1000000000) }}",
        "{{ s|center(10000000000) }}",
        "{{ s|indent(1000000000) }}",
        "{{ s|wordwrap(1) }}",
        "{{ s|replace('s', s) }}",
        "{{ l|join(s) }}",
        "{% for a in l %}{% for b in l %}{% for c in l %}{% endfor %}{% endfor %}{% endfor %}",
        "{% for a in l %}{{ 9 in l }}{{ 299999 in l }}{% endfor %}",
        "{{ [" + ",".join(["299999 in l"] * 500) + "]|length }}",
        "{{ l" + "|sort" * 60 + "|length }}",
        "{{ l" + " + l" * 60 + " }}",
        "{{ s ~ s ~ s }}",
        "{{ s }}" * 50,
        "{{ (" * 5_000,
        "{{ " + "not " * 50_000 + "s }}",
        "{% if s %}" * 3_000,
    ],
)
def test_no_template_runs_for_long_or_grows_without_end(source: str) -> None:
    started = time.process_time()
    with pytest.raises(TemplateProblem):
        Text(source).render(LARGE)
    assert time.process_time() - started < 20 * SECONDS_MAX  # a bomb would take minutes, or all memory


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "~".join(["s"] * 2_000) + " }}",
        "{{ [" + ",".join(["s"] * 2_000) + "]|length }}",
        "{{ (" + ",".join(["s"] * 2_000) + ")|length }}",
        "{{ {" + ",".join(f"{place}: s" for place in range(1_000)) + "}|length }}",
        "{{ " + " + ".join(["s"] * 60) + " }}",
        "{{ [" + ",".join(["s[1:]"] * 500) + "]|length }}",
        "{{ [" + ",".join(["s|upper"] * 500) + "]|length }}",
        "{% for a in [[s, s]] %}{% for b in [[a, a, a]] %}{% for c in [[b, b, b]] %}{{ c }}" + "{% endfor %}" * 3,
    ],
)
def test_no_value_on_the_way_grows_without_end(source: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(TemplateProblem, match=r"too large|longer than"):
            Text(source).render({"s": "s" * 900_000})
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "source",
    [
        "{{ d[k] }}",
        "{{ d[k].x }}",
        "{{ d[k] ~ 1 }}",
        "{{ l[k] }}",
        "{{ l|sort(attribute=k) }}",
        "{{ k|round }}",
        "{{ k + 1 }}",
        "{{ 1 in k }}",
        "{{ l|join(', ')|truncate(0, true, k) }}",
        "{{ d|items|first|first|round }}",
    ],
)
def test_a_problem_tells_nothing_of_what_a_person_wrote(source: str) -> None:
    with pytest.raises(TemplateProblem) as caught:
        render(source, d={"Jane Doe's": 1}, k="Jane Doe, HIV positive", l=[{"Jane Doe": 1}] * 2)
    assert "Jane" not in str(caught.value)


@pytest.mark.parametrize("source", ["{{ d.street }}", "{{ d['street'] }}"])
def test_what_the_template_itself_asks_for_is_named(source: str) -> None:
    with pytest.raises(TemplateProblem, match="no attribute 'street'"):
        render(source, d={})


@pytest.mark.parametrize(
    "source",
    [
        "{{ 1e999 + a }}",
        "{{ -1e999 }}",
        "{{ " + "1" * 5_000 + " }}",
        "{{ 0x" + "f" * 5_000 + " }}",
        "{{ self|list }}",
        "{{ caller }}",
        "{{ super }}",
        "{{ loop }}",
        "{% for self in a %}{% endfor %}",
        "{% for loop in a %}{% endfor %}",
        "{{ a|default(*a) }}",
        "{{ a|default(**a) }}",
        "{{ 'abc'|truncate(1) }}",
    ],
)
def test_what_jinja_or_python_trips_over_is_a_problem_in_words(source: str) -> None:
    names = ("a", "self", "super", "caller", "loop")
    with pytest.raises(TemplateProblem):
        Text(source).render(dict.fromkeys(names, 1))


def test_blocks_count_wherever_they_are_included() -> None:
    started = time.process_time()
    with pytest.raises(TemplateProblem, match="5000 parts at most"):
        Text("{% include 'a' %}" * 2_000, {"a": "{% include 'b' %}" * 2_000, "b": "{{ x }}"})
    assert time.process_time() - started < 5.0


def test_a_long_stretch_of_nothing_is_not_the_end() -> None:
    assert render("{{ a }}" * 500 + "end", a="") == "end"


def test_what_a_caller_gives_is_never_a_template() -> None:
    bomb = "{{ s }}{% for x in l %}{% include 'tone' %}{% endfor %}"
    assert render("{{ a }}", a=bomb) == bomb


@given(st.dictionaries(st.text("abcdefg", min_size=1, max_size=3), JSON, max_size=4))
def test_any_json_can_be_written_and_read_back(variables: dict[str, Any]) -> None:
    for name, value in variables.items():
        text = render("{{ NAME|tojson }}".replace("NAME", name), **variables)
        assert json.loads(text) == value


@given(st.text(alphabet="{}%#|. \n\"'()[]ab0_-+~:", max_size=60))
@settings(max_examples=300)
def test_whatever_somebody_types_gives_a_text_or_a_problem_in_words(source: str) -> None:
    try:
        text = Text(source).render({"a": {"b": [1, "x"]}, "b": "text"})
    except TemplateProblem as problem:
        text = str(problem)
        said = True
    else:
        said = False
    assert len(text) <= CHARACTERS_MAX
    assert text or not said


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(TemplateProblem, match="'who' is undefined"):
        render("Hello {{ who.name }}")


def test_what_is_refused_says_where_and_what_instead() -> None:
    with pytest.raises(TemplateProblem, match=r"line 2: there is no `{% set %}`"):
        Text("fine\n{% set x = 1 %}")
    with pytest.raises(TemplateProblem, match="there is no filter `shell`; there are"):
        Text("{{ a|shell }}")


def test_blocks_stand_where_they_are_included_and_see_the_same_variables() -> None:
    blocks = {"tone": "Be {{ mood }}.", "outer": "[{% include 'tone' %}]"}
    text = Text("{% include 'outer' %} {% if yes %}{% include 'tone' %}{% endif %}", blocks)
    assert text.names == {"mood", "yes"}
    assert text.render({"mood": "kind", "yes": True}) == "[Be kind.] Be kind."


def test_a_block_that_includes_itself_is_refused() -> None:
    with pytest.raises(TemplateProblem, match="more than 4 deep"):
        Text("{% include 'a' %}", {"a": "{% include 'b' %}", "b": "{% include 'a' %}"})


def test_a_block_is_held_to_the_same_rules() -> None:
    with pytest.raises(TemplateProblem, match="nothing can be called"):
        Text("{% include 'a' %}", {"a": "{{ ''.join([]) }}"})
