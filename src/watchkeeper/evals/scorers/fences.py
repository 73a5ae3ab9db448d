"""Code fences in answers."""

FENCE = "```"


def fenced(text: str) -> str:
    """Return what stands in the first code fence, without its language; the whole text where there is none.

    A fence that is never closed goes on to the end.
    """
    _, opening, rest = text.partition(FENCE)
    if not opening:
        return text
    first, newline, body = rest.partition("\n")
    if not newline or FENCE in first:
        return rest.partition(FENCE)[0].strip()
    return body.partition(FENCE)[0].strip()
