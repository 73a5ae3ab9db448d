"""Takes personal data and secrets out of texts that become cases: by their form, in linear time, the same each time.

What has a form is found: e-mail addresses, telephone numbers, card numbers and IBANs whose check digits are right, keys
and tokens. What has none is not: names of people, streets, dates of birth, what somebody says about their health.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import re2

UNSEEN: Final = "names, postal addresses, dates of birth, and whatever else has no form of its own"
"""What it does not find; said wherever it was used."""

_COUNTRIES = (
    "AD24 AE22 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BI27 BR29 BY28 CH21 CR22 CY28 CZ24 DE22 DJ27 DK18 DO28 EE20 EG29 "
    "ES24 FI18 FK18 FO18 FR27 GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IQ23 IS26 IT27 JO30 KW30 KZ20 LB28 "
    "LC32 LI21 LT20 LU20 LV21 LY25 MC27 MD24 ME22 MK19 MN20 MR27 MT31 MU30 NI28 NL18 NO15 OM23 PK24 PL28 PS29 PT25 "
    "QA29 RO24 RS22 RU33 SA24 SC31 SD18 SE24 SI19 SK24 SM27 SO23 ST25 SV28 TL23 TN24 TR26 UA29 VA22 VG24 XK20 YE30"
)
IBAN_LENGTHS = {country[:2]: int(country[2:]) for country in _COUNTRIES.split()}
"""Characters of an account number by country (the registry of ISO 13616)."""
CARD_DIGITS = range(13, 20)
PHONE_DIGITS = range(8, 16)
"""E.164 allows 15 digits; shorter ones are as often numbers of something else."""

_PRIVATE_KEY = r"-----BEGIN [A-Z ]{0,20}PRIVATE KEY-----[A-Za-z0-9+/=\s]*(?:-----END [A-Z ]{0,20}PRIVATE KEY-----)?"
_KEYS = (
    r"\b(?:sk|pk|rk|ghp|gho|ghs|ghu|github_pat|glpat|xox[abeoprs]|hf|npm|wk-api|key|tok)[-_][A-Za-z0-9_-]{16,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bAIza[A-Za-z0-9_-]{35}"
    r"|\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}"
    r"|\b[Bb]earer +[A-Za-z0-9._~+/-]{16,}=*"
    r"|\b[A-Za-z][A-Za-z0-9+.-]{0,20}://[^\s/@:]{1,100}:[^\s/@]{1,100}@"
)
_GAP = r" \x{a0}\x{2007}\x{202f}\x{2010}\x{2011}-"
"""Inside a character class: what keeps groups of digits apart, also where a line may not break there."""
_FORMS: tuple[tuple[str, Any], ...] = (
    ("KEY", re2.compile(f"{_PRIVATE_KEY}|{_KEYS}")),
    ("EMAIL", re2.compile(r"[\pL\pN._%+'-]+@[\pL\pN-]+(?:\.[\pL\pN-]+)*\.\pL{2,}")),
    (
        "IBAN",
        re2.compile(rf"(?i)\b[A-Z]{{2}}[0-9]{{2}}(?:[{_GAP}]?[A-Z0-9]{{4}}){{2,7}}(?:[{_GAP}]?[A-Z0-9]{{1,3}})?\b"),
    ),
    ("CARD", re2.compile(rf"\b[0-9]{{3,19}}(?:[.{_GAP}][0-9]{{3,6}}){{0,5}}\b")),
    ("IP", re2.compile(r"\b[0-9]{1,3}(?:\.[0-9]{1,3}){3}\b")),
    (
        "PHONE",
        re2.compile(
            rf"(?:\+|\b00)[1-9](?:[()./{_GAP}]{{0,2}}[0-9]){{6,13}}\b"
            rf"|(?:\(0|\b0)[1-9](?:[()/{_GAP}]{{0,2}}[0-9]){{6,13}}\b"
            rf"|(?:\([2-9][0-9]{{2}}\)[{_GAP}]?|\b[2-9][0-9]{{2}}[.{_GAP}])[0-9]{{3}}[.{_GAP}][0-9]{{4}}\b"
        ),
    ),
)
"""Forms in the order in which they are looked for: what one has taken, the next does not see."""
_DATE = re2.compile(r"[0-9]{2}[-./ ][0-9]{2}[-./ ][0-9]{4}")


@dataclass(frozen=True, slots=True)
class Redaction:
    """Something that was taken out."""

    place: str
    """What stands there now, such as `<EMAIL_1>`."""
    kind: str


class Redactor:
    """Redacts the texts of one case: the same value has the same place in all of them."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], str] = {}
        self._counts: Counter[str] = Counter()

    @property
    def found(self) -> tuple[Redaction, ...]:
        """What was taken out so far, each value once, in the order of its first occurrence."""
        return tuple(Redaction(place, kind) for (kind, _), place in self._places.items())

    def text(self, text: str) -> str:
        """Return a text with places instead of what has a form."""
        text = text.encode("utf-8", "replace").decode()  # half of a surrogate pair is no text
        for kind, form in _FORMS:
            text = self._without(text, kind, form)
        return text

    def value(self, value: Any) -> Any:
        """Return a value of JSON with every text in it redacted, the names of objects' members, too."""
        match value:
            case str():
                return self.text(value)
            case Mapping():
                return {self.text(str(name)): self.value(one) for name, one in value.items()}
            case list() | tuple():
                return [self.value(one) for one in value]
            case int() if not isinstance(value, bool):
                written = self.text(str(value))
                return value if written == str(value) else written
            case _:
                return value

    def _without(self, text: str, kind: str, form: Any) -> str:
        """Every match is short, but for a key's, so that what is looked for in it again takes no time that grows."""
        return str(form.sub(lambda match: self._within(match.group(), kind), text))

    def _within(self, text: str, kind: str) -> str:
        parts, done = list[str](), 0
        for begin in _beginnings(text) if kind in GROUPED else (0,):
            ends = _ends(text[begin:]) if kind in GROUPED else (len(text),)
            end = next((end for end in ends if _is_one(kind, text[begin : begin + end])), 0)
            if end and begin >= done:
                parts += [text[done:begin], self._place(kind, text[begin : begin + end])]
                done = begin + end
        return "".join((*parts, text[done:]))

    def _place(self, kind: str, part: str) -> str:
        known = (kind, _compared(kind, part))
        if known not in self._places:
            self._counts[kind] += 1
            self._places[known] = f"<{kind}_{self._counts[kind]}>"
        return self._places[known]


GROUPED = ("IBAN", "CARD")
"""Written in groups, so that words before and after them may look as if they belonged to them."""


def _beginnings(text: str) -> Iterator[int]:
    return (at for at in range(len(text)) if not at or not text[at - 1].isalnum())


def _ends(text: str) -> Iterator[int]:
    """The longest first."""
    return (at for at in range(len(text), 0, -1) if at == len(text) or not text[at].isalnum())


def _is_one(kind: str, text: str) -> bool:
    """Tell whether something that has the form of a kind is of it, by what its digits say."""
    match kind:
        case "IBAN":
            plain = _compared(kind, text)
            return IBAN_LENGTHS.get(plain[:2]) == len(plain) and is_iban(plain)
        case "CARD":
            digits = _compared(kind, text)
            return len(digits) in CARD_DIGITS and is_card(digits)
        case "IP":
            return all(int(number) <= 255 for number in text.split("."))
        case "PHONE":
            return len(_compared(kind, text)) in PHONE_DIGITS and not _DATE.match(text)
        case _:
            return True


def _compared(kind: str, text: str) -> str:
    """Return it as it is held against others: however it is written, it is the same."""
    match kind:
        case "EMAIL":
            return text.lower()
        case "IBAN":
            return "".join(filter(str.isalnum, text)).upper()
        case "CARD" | "PHONE":
            return "".join(filter(str.isdigit, text)).removeprefix("00" if kind == "PHONE" else "")
        case _:
            return text


def is_card(digits: str) -> bool:
    """Tell whether the last digit of a number is the check digit of those before it (Luhn, ISO/IEC 7812-1)."""
    total = 0
    for place, letter in enumerate(reversed(digits)):
        digit = int(letter) * (1 + place % 2)
        total += digit - 9 if digit > 9 else digit
    return total % 10 == 0 and len(set(digits)) > 1


def is_iban(plain: str) -> bool:
    """Tell whether the check digits of an account number in capitals are right (ISO 13616: remainder 1 by 97)."""
    return int("".join(str(int(letter, 36)) for letter in plain[4:] + plain[:4])) % 97 == 1
