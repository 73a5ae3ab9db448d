"""Templates render as Nunjucks renders them, within bounds."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.evals.promptfoo.nunjucks import Renderer, TemplateFailed

VARIABLES: dict[str, Any] = {
    "whole": 1.0,
    "half": 0.5,
    "list": [1, 2],
    "empty": [],
    "object": {"items": 3, "inner": {"none": None}},
    "name": "Ann",
    "yes": True,
    "none": None,
}


@pytest.mark.parametrize(
    ("template", "rendered"),
    [
        ("{{ whole }} {{ half }} {{ list }} {{ object }} {{ yes }} {{ none }}", "1 0.5 1,2 [object Object] true "),
        ("{{ missing }}|{{ missing.deeper.still }}", "|"),
        ("{% if empty %}true{% else %}false{% endif %}", "true"),
        ("{{ object.items }} {{ object.keys }}", "3 "),
        ("{% for key, value in object %}{{ key }};{% endfor %}", "items;inner;"),
        ("{{ name.toUpperCase() }} {{ name.length }} {{ list | length }}", "ANN 3 2"),
        ('{{ "a" + 1 }} {{ 1 + 2 }} {{ name ~ whole }}', "a1 3 Ann1"),
        ("{{ object | dump }}", '{"items":3,"inner":{"none":null}}'),
        ('{{ name === "Ann" }} {{ 1 == "1" }} {{ name !== "Ann" }}', "true true false"),
        ('{{ missing or "else" }} {{ empty and "then" }}', "else then"),
        ("{% raw %}{{ name }}{% endraw %}{% verbatim %}{{ name }}{% endverbatim %}", "{{ name }}{{ name }}"),
        ("{{ env.WORD }} {{ name | shout }}", "here ANN!"),
        ("kept\n", "kept\n"),
        ("{{ '[1]' | load | first }}", "1"),
        ("{{ name.__class__ }}{{ list.append }}{{ ''.__class__.__mro__ }}", ""),
    ],
)
def test_values_are_written_and_judged_as_javascript_does(template: str, rendered: str) -> None:
    renderer = Renderer({"WORD": "here"}, {"shout": lambda value: f"{value.upper()}!"})
    assert renderer.render(template, VARIABLES) == rendered


@pytest.mark.parametrize(
    "template",
    [
        "{{",
        "{{ name | nofilter }}",
        "{{ missing() }}",
        "{% include 'x' %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{{ name.repeat(1000) }}{% endfor %}{% endfor %}",
        "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
        "{{ name.repeat(100000000) }}",
        "{{ 9 ** 99999 }}",
    ],
)
def test_what_cannot_be_rendered_is_refused(template: str) -> None:
    with pytest.raises(TemplateFailed):
        Renderer().render(template, VARIABLES)


@given(st.text(), st.text())
def test_no_template_raises_anything_else(template: str, value: str) -> None:
    with suppress(TemplateFailed):
        Renderer().render(template + "{{ value }}", {"value": value})


@given(st.text())
def test_text_without_tags_stays_as_it_is(value: str) -> None:
    plain = value.replace("{", "")
    assert Renderer().render(plain, {}) == plain
