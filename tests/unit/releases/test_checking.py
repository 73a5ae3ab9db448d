"""A recipe's mistakes, all at once and in words."""

from typing import Any

import pytest

from watchkeeper.releases.checking import mistakes_in
from watchkeeper.releases.prepared import Prepared, Unusable
from watchkeeper.releases.problems import TemplateProblem, VariableProblem
from watchkeeper.releases.recipe import Block, Limits, Message, Output, Recipe, Retrieval, canonical, decode, release_id

SUPPORT = Recipe(
    feature="support",
    model="gpt-4o-mini",
    messages=(Message("system", "You answer in {{ language }}."), Message("user", "{{ question }}")),
    variables={"language": {"type": "string", "default": "English"}, "question": {"type": "string", "maxLength": 80}},
)


def recipe(**changes: Any) -> Recipe:
    return Recipe(
        **{"feature": "support", "model": "gpt-4o-mini", "messages": SUPPORT.messages, "variables": SUPPORT.variables}
        | changes
    )


def test_a_sound_recipe_has_no_mistakes() -> None:
    assert mistakes_in(SUPPORT) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"messages": ()}, "messages: there are none"),
        ({"messages": (Message("user", "{{ a }}{{ b }}"),)}, "messages[0].content: `a`, `b`: not declared"),
        ({"messages": (Message("user", "{{ "),)}, "messages[0].content: line 1:"),
        ({"messages": (*SUPPORT.messages, Message("conversation"), Message("conversation"))}, "may stand once"),
        ({"variables": {"question": {"type": "strin"}}}, "variables.question:"),
        ({"variables": {"question": {"type": "string", "default": 4}}}, "does not fit its own schema"),
        ({"variables": {"question": {"$ref": "http://example.com/x"}}}, "may not refer to http://example.com/x"),
        ({"variables": {"not a name": {}}}, "a variable's name is made of"),
        ({"variables": {"self": {}}}, "variables.self: `self` has a meaning of its own"),
        ({"variables": {"loop": {}}}, "variables.loop: `loop` has a meaning of its own"),
        ({"messages": (Message("user", "{{ 1e999 + question }}"),)}, "a number is too large"),
        ({"messages": (Message("user", "{{ question }}" * 100),) * 60}, "5000 parts at most"),
        ({"parameters": {"n": 2}, "output": Output()}, "parameters.n: only one answer can be held against a schema"),
        ({"variables": {"documents": {}}}, "is given by `retrieval`"),
        ({"output": Output(schema={"type": 7})}, "output.schema:"),
        ({"blocks": {"tone": Block("wkb1-x", "Be kind.")}}, "blocks.tone: its id is not that of its text"),
        ({"retrieval": Retrieval(query="{{ documents }}")}, "retrieval.query: `documents`: not declared"),
    ],
)
def test_each_mistake_is_named_with_its_place(changes: dict[str, Any], told: str) -> None:
    said = [
        f"{mistake.place}: {mistake.message}" for mistake in mistakes_in(recipe(**changes)) if not mistake.is_warning
    ]
    assert any(told in line for line in said), said


def test_a_variable_that_no_template_uses_is_a_warning() -> None:
    (found,) = mistakes_in(recipe(variables=dict(SUPPORT.variables) | {"spare": {"type": "string"}}))
    assert (found.place, found.is_warning) == ("variables.spare", True)


def test_the_id_is_that_of_the_content_and_of_nothing_else() -> None:
    again = decode(canonical(SUPPORT))
    assert (again, release_id(again)) == (SUPPORT, release_id(SUPPORT))
    turned = recipe(variables=dict(reversed(SUPPORT.variables.items())))
    assert release_id(turned) == release_id(SUPPORT)
    assert release_id(recipe(parameters={"temperature": 0})) != release_id(SUPPORT)
    assert release_id(SUPPORT) == "wk1-6sezqxc4owhzje6xgjvdumgkpi"


@pytest.mark.parametrize(
    ("given", "name", "told"),
    [
        ({}, "question", "The variable `question` is missing. The prompt takes `language` (string, optional)"),
        ({"question": 4}, "question", 'does not fit: it is not of type "string"'),
        ({"question": "x" * 81}, "question", "longer than 80 characters"),
        ({"question": "x", "quesion": "x"}, "quesion", "There is no variable `quesion`"),
    ],
)
def test_what_does_not_fit_is_named_and_never_quoted(given: dict[str, Any], name: str, told: str) -> None:
    with pytest.raises(VariableProblem, match="The prompt takes") as caught:
        Prepared(SUPPORT).variables.complete(given)
    assert caught.value.name == name
    assert told in str(caught.value)
    assert "xxx" not in str(caught.value)


def test_what_cannot_be_made_ready_says_which_part() -> None:
    with pytest.raises(Unusable, match=r"messages\[0\]"):
        Prepared(recipe(messages=(Message("user", "{{ ''.join() }}"),)))


def test_a_text_is_cut_off_where_the_recipe_says() -> None:
    prepared = Prepared(recipe(limits=Limits(output_bytes=20)))
    with pytest.raises(TemplateProblem, match="grows beyond 20"):
        prepared.render(prepared.variables.complete({"question": "x" * 40}))


@pytest.mark.parametrize("variables", [{"a": {"$ref": "#/$defs/t", "$defs": {"t": {"type": "string"}}}}, {"a": {}}])
def test_what_passes_checking_can_be_made_ready_and_rendered(variables: dict[str, Any]) -> None:
    checked = recipe(messages=(Message("user", "{{ a }}"),), variables=variables, parameters={"n": 2})
    assert mistakes_in(checked) == []
    prepared = Prepared(checked)
    assert prepared.render(prepared.variables.complete({"a": "x"}))[0].content == "x"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{{ a }}", "grows beyond 1000000"),
        ("{% for x in l %}{% endfor %}", "more than 10000 steps"),
    ],
)
def test_a_prompt_of_many_messages_has_the_bounds_of_one(content: str, told: str) -> None:
    many = recipe(messages=(Message("user", content),) * 100, variables={"a": {}, "l": {}})
    with pytest.raises(TemplateProblem, match=told):
        Prepared(many).render({"a": "x" * 400_000, "l": [0] * 900})


def test_a_recipe_cannot_allow_itself_whatever_it_likes() -> None:
    large = recipe(messages=(Message("user", "{{ a }}" * 20),), variables={"a": {}}, limits=Limits(output_bytes=10**12))
    with pytest.raises(TemplateProblem, match="grows beyond 10000000"):
        Prepared(large).render({"a": "x" * 900_000})
