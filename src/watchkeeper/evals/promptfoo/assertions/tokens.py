"""Words and marks of a text, by the rules of the Penn Treebank as js-rouge applies them."""

import re

_SPACE = re.compile(r"[\s\u0085\ufeff]+")
_SENTENCE = re.compile(r"(?<=[.!?])([\"'”’)\]]*) (?=[\"'\u201c\u2018(\[]*[A-Z])")
_SHORTENED = re.compile(
    r"(?:\b(?:Mr|Mrs|Ms|Dr|Prof|Sr|Jr|St|Gen|Col|Capt|Lt|Sgt|Rev|Hon|Inc|Ltd|Co|Corp|vs|etc|e\.g|i\.e|Jan|Feb|Mar|Apr"
    r"|Jun|Jul|Aug|Sep|Sept|Oct|Nov|Dec|No|Fig)|\b[A-Z])\.[\"'”’)\]]*$"
)
_QUOTE = re.compile(r"``|''|\"")
_STEPS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\.{3}"), " ... "),
    (re.compile(r"[:,](?!\d)"), r" \g<0> "),
    (re.compile(r"[;@#$%&]"), r" \g<0> "),
    (re.compile(r"([^.])(?<!\b[A-Za-z]\.[A-Za-z])(\.)([\])}>'\s]*)$"), r"\1 \2\3 "),
    (re.compile(r"[?!]"), r" \g<0> "),
    (re.compile(r"[\][(){}<>]"), r" \g<0> "),
    (re.compile(r"--"), " -- "),
)
_ENDINGS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"([^'])' "), r"\1 ' "),
    (re.compile(r"'([sSmMdD]) "), r" '\1 "),
    (re.compile(r"('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) "), r" \1 "),
    *(
        (re.compile(rf"(?<!\w){first}{second}(?!\w)", re.IGNORECASE), r" \1 \2 ")
        for first, second in (
            ("(can)", "(not)"),
            ("(d)", "('ye)"),
            ("(gim)", "(me)"),
            ("(gon)", "(na)"),
            ("(got)", "(ta)"),
            ("(lem)", "(me)"),
            ("(more)", "('n)"),
            ("(wan)", "(na)(?= )"),
            ("('t)", "(is)"),
            ("('t)", "(was)"),
        )
    ),
)


def rouge_tokens(value: str, *, by_sentence: bool = False) -> list[str]:
    """Return the words and marks of a text.

    Args:
        value: The text.
        by_sentence: Whether the stop that ends a sentence is a mark of its own wherever it stands; else only the
            text's last one is.
    """
    plain = _SPACE.sub(" ", value).strip()
    if not plain:
        return []
    return [token for part in (_sentences(plain) if by_sentence else [plain]) for token in _tokens(part)]


def _sentences(plain: str) -> list[str]:
    found: list[str] = []
    start = 0
    for gap in _SENTENCE.finditer(plain):
        if not _SHORTENED.search(plain[start : gap.end()].rstrip()):
            found.append(plain[start : gap.end()].rstrip())
            start = gap.end()
    return [*found, plain[start:]]


def _tokens(plain: str) -> list[str]:
    is_open = False

    def quoted(mark: re.Match[str]) -> str:
        nonlocal is_open
        before = plain[mark.start() - 1 : mark.start()]
        opens = not before or before.isspace() or (not before.isalnum() and before not in ".!?")
        is_open = mark[0] == "``" or (not is_open and opens)
        return " `` " if is_open else " '' "

    value = _QUOTE.sub(quoted, plain)
    for pattern, by in _STEPS:
        value = pattern.sub(by, value)
    value = f" {value} "
    for pattern, by in _ENDINGS:
        value = pattern.sub(by, value)
    return value.split()
