"""How alike two texts are, by vectors that are made on this machine."""

from collections.abc import Sequence


def similar(text: str, others: Sequence[str]) -> list[float]:
    """Return the cosine similarity of a text to each of others; 0 for one without a known word.

    The first one loads what that takes: 0.4 s, 90 MB.
    """
    # numpy and the weights: most runs have no scorer that needs them.
    from watchkeeper.evals.scorers.similarity import embedder

    vectors = embedder().embed([text, *others])
    return [float(one) for one in vectors[1:] @ vectors[0]]
