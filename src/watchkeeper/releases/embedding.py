"""Turns texts into vectors, on this machine alone: wordllama's weights lie in its package.

Most processes need no vectors, ever; those that do import this when they do.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import wordllama
from numpy.typing import NDArray

DIMENSIONS = 256
TEXT_LETTERS_MAX = 8_000
"""Of a text, its beginning counts; passages are shorter."""
BATCH_TEXTS = 16

Vectors = NDArray[np.float32]


class Embedder:
    """Makes vectors; may be used by several threads at once. The first one takes 0.4 s to load, and 90 MB."""

    def __init__(self) -> None:
        self._model = wordllama.WordLlama.load(
            config="l2_supercat", dim=DIMENSIONS, cache_dir=Path(wordllama.__file__).parent, disable_download=True
        )

    def embed(self, texts: Sequence[str]) -> Vectors:
        """Return a vector of length 1 for each text, in rows; zeros for a text without a known word."""
        # Halves of letters, which JSON can bring, are no text to the tokenizer.
        cut = [text[:TEXT_LETTERS_MAX].encode("utf-8", "replace").decode() or " " for text in texts]
        if not cut:
            return np.zeros((0, DIMENSIONS), np.float32)
        found: Vectors = self._model.embed(cut, batch_size=BATCH_TEXTS)
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        lengths[lengths == 0] = 1.0
        found /= lengths
        return found
