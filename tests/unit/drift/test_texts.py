"""What is told of a text at a glance."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.evals.drift.texts import form_of, language_of


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Where is my refund? It was promised to me on Monday and it is not there.", "en"),
        ("Wo ist meine Bestellung? Ich habe sie am Montag aufgegeben und sie ist nicht da.", "de"),
        ("Où est ma commande ? Je ne la trouve pas dans le courrier.", "fr"),
        ("¿Dónde está mi pedido? No lo encuentro en el correo.", "es"),
        ("Waar is mijn bestelling? Ik heb het niet in de brievenbus.", "nl"),
        ("Где мой заказ?", "ru"),
        ("Де моє замовлення? Я його ще не отримав.", "uk"),
        ("私の注文はどこですか。", "ja"),
        ("我的订单在哪里", "zh"),
        ("내 주문은 어디에 있나요?", "ko"),
        ("أين طلبي؟", "ar"),
        ("x = 12345", "und"),
        ("   ", ""),
        ("", ""),
    ],
)
def test_the_language_of_a_sentence_is_told(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("answer", "form"),
    [
        ("I'm sorry, but I can't help with that.", "refusal"),
        ("I\u2019m unable to discuss this.", "refusal"),
        ("Tut mir leid, aber ich kann das nicht beantworten.", "refusal"),
        ('{"answer": 4}', "json"),
        ("```python\nprint(1)\n```", "code"),
        ("## Refunds\n- wait\n- ask", "markdown"),
        ("It is on its way.", "prose"),
        ("I can't find order 17; is the number right?", "prose"),
    ],
)
def test_the_form_of_an_answer_is_told(answer: str, form: str) -> None:
    assert form_of(answer, finish="stop") == form


def test_tools_filters_and_nothing_are_forms_of_their_own() -> None:
    assert form_of("look_up({})", finish="tool_calls", tools=["look_up"]) == "tools"
    assert form_of("whatever", finish="content_filter") == "refusal"
    assert form_of("", finish="stop") == "empty"
    assert form_of("") == ""


@settings(max_examples=60, deadline=None)
@given(st.text())
def test_no_text_is_too_strange_to_be_looked_at(text: str) -> None:
    assert len(language_of(text)) in (0, 2, 3)
    assert form_of(text, finish="stop") != ""
