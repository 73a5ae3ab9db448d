"""What has the form of personal data leaves a text, the same value always for the same place, and nothing else does."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.evals.redaction import Redactor, is_card, is_iban


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("Mail Ana.B@example.com or ana.b@EXAMPLE.com.", "Mail <EMAIL_1> or <EMAIL_1>."),
        ("to jürgen@müller.de and x+y@a.co.uk", "to <EMAIL_1> and <EMAIL_2>"),
        ("Call +49 30 1234567 or 0049-30-1234567!", "Call <PHONE_1> or <PHONE_1>!"),
        ("Ring (030) 123-4567 or 0176 1234567 or 555-123-4567", "Ring <PHONE_1> or <PHONE_2> or <PHONE_3>"),
        ("Card 4111 1111 1111 1111, 12/27", "Card <CARD_1>, 12/27"),
        ("Card 4111-1111-1111-1111 is 4111111111111111", "Card <CARD_1> is <CARD_1>"),
        ("12 378282246310005 34", "12 <CARD_1> 34"),
        ("IBAN DE89 3704 0044 0532 0130 00 and so on", "IBAN <IBAN_1> and so on"),
        ("BE71 0961 2345 6769 next words GB82WEST12345698765432", "<IBAN_1> next words <IBAN_2>"),
        ("key sk-wk-abcdefgh-ijklmnopqrstuv.", "key <KEY_1>."),
        ("AKIAIOSFODNN7EXAMPLE", "<KEY_1>"),
        ("from 192.168.100.12 port 80", "from <IP_1> port 80"),
    ],
)
def test_what_has_a_form_is_taken_out(text: str, redacted: str) -> None:
    assert Redactor().text(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "On 2026-01-31 14:05 and 31.12.2026 1700 and 01-02-2026 14",
        "order 123456789012, 4111 1111 1111 1112, 0000000000000000",
        "83 294 633 people, 1,234,567,890 of them, 12.345.678",
        "DE12 3704 1144 1532 1130 10",
        "version 999.1.2.3, pi 3.14159265358979",
        "what @you say, a@b, https://example.com/2026/01/31/1234",
        "sk-short and monkey-business",
        "",
    ],
)
def test_what_only_looks_like_it_stays(text: str) -> None:
    assert Redactor().text(text) == text


def test_one_value_has_one_place_in_all_texts_of_a_case_and_is_listed_once() -> None:
    redactor = Redactor()
    value = {
        "question": "I am ana@example.com",
        "facts": [{"mail": "ana@example.com", "card": 4111111111111111}],
        "n": 3,
    }
    assert redactor.value(value) == {
        "question": "I am <EMAIL_1>",
        "facts": [{"mail": "<EMAIL_1>", "card": "<CARD_1>"}],
        "n": 3,
    }
    assert redactor.text("bob@example.com, ana@example.com") == "<EMAIL_2>, <EMAIL_1>"
    assert [one.place for one in redactor.found] == ["<EMAIL_1>", "<CARD_1>", "<EMAIL_2>"]


@given(st.text(alphabet="a@.0149 -+()<>EMAIL_DE", max_size=80))
def test_what_was_redacted_once_is_not_redacted_again(text: str) -> None:
    once = Redactor().text(text)
    assert Redactor().text(once) == once


@given(st.text(max_size=200))
def test_no_text_is_too_odd(text: str) -> None:
    Redactor().text(text)


@given(st.integers(10**12, 10**18))
def test_a_wrong_digit_makes_no_card(number: int) -> None:
    digits = next(f"{number}{last}" for last in range(10) if is_card(f"{number}{last}"))
    wrong = f"{digits[:-1]}{(int(digits[-1]) + 1) % 10}"
    assert not is_card(wrong)


def test_check_digits_of_accounts_are_those_of_the_standard() -> None:
    assert is_iban("GB82WEST12345698765432") and not is_iban("GB82WEST12345698765433")


@pytest.mark.parametrize(
    "part", ["1 ", "111 ", "a@", "DE89 ", "DE89", "1234567890", "-----BEGIN PRIVATE KEY-----", "("]
)
def test_hostile_texts_take_no_longer_than_their_length(part: str) -> None:
    began = time.perf_counter()
    Redactor().text(part * (60_000 // len(part)))
    assert time.perf_counter() - began < 2


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("+49\u00a0170\u00a01234567", "<PHONE_1>"),
        ("DE89\u00a03704\u00a00044\u00a00532\u00a00130\u202f00", "<IBAN_1>"),
        ("4111\u00a01111\u00a01111\u00a01111", "<CARD_1>"),
        ("4111.1111.1111.1111", "<CARD_1>"),
        ("postgres://shop:hunter2@db.local/x", "<KEY_1>db.local/x"),
        ("Authorization: Bearer abcdef1234567890abcdef", "Authorization: <KEY_1>"),
        ("hf_abcdefghijklmnopqrstuvwxyz012345", "<KEY_1>"),
    ],
)
def test_spaces_that_do_not_break_and_passwords_in_addresses_hide_nothing(text: str, redacted: str) -> None:
    assert Redactor().text(text) == redacted
