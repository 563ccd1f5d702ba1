"""What a corpus is taken to be before it has been chosen: as those that it is chosen from, cut to its size."""

from collections.abc import Sequence

from acclimate.data.sample import Sample
from acclimate.data.selection.settings import Selection
from acclimate.data.selection.words import words_of


def expected_sample(sources: Sequence[Sample], selection: Selection) -> Sample:
    """A sample of the corpora that are chosen from, said of as much text as is to be chosen; never a whole one."""
    texts = tuple(text for source in sources for text in source.texts)
    documents, characters = sum(source.documents for source in sources), sum(source.characters for source in sources)
    share = min(1.0, share_asked(sources, selection))
    return Sample(texts, max(1, round(share * documents)), round(share * characters), whole=False)


def share_asked(sources: Sequence[Sample], selection: Selection) -> float:
    """How much of the corpora is to be chosen, roughly; above 1 where they do not hold that much."""
    if selection.documents is not None:
        return selection.documents / max(1, sum(source.documents for source in sources))
    texts = [text for source in sources for text in source.texts]
    each = len(words_of(texts).values) / max(1, sum(map(len, texts)))  # words and marks a character
    return (selection.tokens or 0) / max(1.0, each * sum(source.characters for source in sources))
