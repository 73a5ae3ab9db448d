"""What can be told of a text at a glance: its language, and the form of an answer.

Both look at the beginning of a text only, need no model and a few microseconds, so that every call can have them. They
are made to be compared with themselves at another time: a language that is often taken for its neighbour is so on both
sides.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Literal

from watchkeeper.evals.scorers.refusals import refusing_words

LETTERS_READ = 160
"""Of a text."""
UNDETERMINED = "und"
"""As ISO 639-2 has it: there is a text, and its language is not one of those that are told apart."""
FOREIGN_SHARE = 0.3
"""A text with so many letters of another script is of a language of that script."""
FUNCTION_SHARE = 0.15
"""Of the words of a text in Latin letters, so many are such as hold a sentence of its language together."""

Form = Literal["", "empty", "tools", "refusal", "json", "code", "markdown", "prose"]
"""What an answer looks like; empty where there is none."""

_FUNCTION_WORDS = {
    "en": "the and is are was to of in that it you for with on this not have be what how my can i a do please",
    "de": "der die das und ist nicht ich sie ein eine mit auf für den dem zu wie was wir bitte kann mein es im",
    "fr": "le la les et est une un des que pour pas vous je dans ne sur avec mon comment ce qui au du il",
    "es": "el la los y es una un que para no por con mi en se cómo del las lo está como su qué me",
    "it": "il la gli e è una un che per non di con mi in si come del della sono ho questo lo le il",
    "pt": "o a os e é uma um que para não por com meu em se como do da dos das você eu ao isso",
    "nl": "de het een en is van ik niet dat die voor met op zijn je te hoe wat mijn kan er aan om",
    "sv": "och det att i en är som på jag inte med för den har av ett till hur min kan om du var",
    "da": "og det at i en er som på jeg ikke med for den har af et til hvordan min kan om du var",
    "pl": "i w nie na się jest to z że do jak co mój czy o po za od ale dla są jestem mam",
    "tr": "ve bir bu için ile de da ne mi benim çok var değil ben olarak ama gibi kadar lütfen",
}
_LANGUAGES = tuple(_FUNCTION_WORDS)
_PLACES_OF = {
    word: tuple(place for place, others in enumerate(_FUNCTION_WORDS.values()) if word in others.split())
    for words in _FUNCTION_WORDS.values()
    for word in words.split()
}
"""By function word: the places of its languages."""
_SCRIPTS = (
    (0x0370, 0x03FF, "el"), (0x0400, 0x052F, "ru"), (0x0590, 0x05FF, "he"), (0x0600, 0x06FF, "ar"),
    (0x0900, 0x097F, "hi"), (0x0E00, 0x0E7F, "th"), (0x3040, 0x30FF, "ja"), (0x4E00, 0x9FFF, "zh"),
    (0xAC00, 0xD7AF, "ko"),
)  # fmt: skip
_FIRST_FOREIGN = 0x0370
_UKRAINIAN = frozenset("іїєґ")


def language_of(text: str) -> str:
    """Return the language of a text by its ISO 639-1 code, `und` where it is not clear, nothing where there is no text.

    A script of its own decides; among languages in Latin letters, the one whose function words are the most.
    """
    read = text[:LETTERS_READ].lower()
    if not read.strip():
        return ""
    if not read.isascii() and (language := _by_script(read)):
        return language
    words = read.split()
    found = [0] * len(_LANGUAGES)
    for word in words:
        for place in _PLACES_OF.get(word, ()):
            found[place] += 1
    most = max(found)
    if most < FUNCTION_SHARE * len(words) or not most or found.count(most) > 1:
        return UNDETERMINED
    return _LANGUAGES[found.index(most)]


def form_of(answer: str, *, finish: str = "", tools: Sequence[str] = ()) -> Form:
    """Return what an answer looks like.

    Args:
        answer: Its text, calls of tools included.
        finish: Why it ended, as the provider says it.
        tools: Names of the tools that it calls.
    """
    if finish in ("content_filter", "refusal", "safety"):
        return "refusal"
    if tools:
        return "tools"
    start = answer[:LETTERS_READ].strip()
    if not start:
        return "empty" if finish else ""
    if refusing_words(start) is not None:
        return "refusal"
    if start[0] in "{[":
        return "json"
    if "```" in start:
        return "code"
    if start[0] == "#" or "\n- " in start or "\n* " in start or "\n1. " in start or "**" in start or "\n|" in start:
        return "markdown"
    return "prose"


def _by_script(read: str) -> str:
    foreign: Counter[str] = Counter()
    letters = 0
    for letter in read:
        if letter.isalpha():
            letters += 1
            code = ord(letter)
            if code >= _FIRST_FOREIGN:
                for first, last, language in _SCRIPTS:
                    if first <= code <= last:
                        foreign[language] += 1
                        break
    if not foreign or foreign.total() < FOREIGN_SHARE * letters:
        return ""
    if foreign["ja"] and foreign["ja"] + foreign["zh"] > letters / 2:
        return "ja"
    language = foreign.most_common(1)[0][0]
    return "uk" if language == "ru" and any(letter in _UKRAINIAN for letter in read) else language
