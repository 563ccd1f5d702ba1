"""How alike the texts of a study are by their words, from the samples that reading them has kept: nothing is read again."""

from typing import Any

from acclimate.data.sample import MOST_CHARACTERS, Sample, sample_of
from acclimate.data.shared_words import MOST_WORDS, STOP_WORDS, compared, words_of
from acclimate.tasks.opened import Data

TASK = "task"  # what the texts of the training split are called; no corpus can be


def text_overlap(data: Data) -> dict[str, Any] | None:
    """Facts of every corpus and of the task's training texts, and the measures of `shared_words` of each two, ready for JSON.

    None where there are no two texts, or none with a word that can be compared.
    """
    samples = _samples(data)
    if len(samples) < 2:  # most studies: their words need not be counted, nor the list of stop words loaded
        return None
    words = {name: words_of(sample.texts) for name, sample in samples.items()}
    words = {name: each for name, each in words.items() if each.top}
    if len(words) < 2:
        return None
    texts = {
        name: {
            "documents": samples[name].documents,
            "words": each.running,
            "different_words": len(each.counts),
            "compared_words": len(each.top),
        }
        for name, each in words.items()
    }
    sample = f"at most {MOST_CHARACTERS:,} characters, spread over all of it"
    return {"most_words": MOST_WORDS, "stop_words": STOP_WORDS, "sample": sample, "texts": texts, **compared(words)}


def _samples(data: Data) -> dict[str, Sample]:
    train = tuple(data.task.train.documents()) if data.task is not None else ()
    return {**({TASK: sample_of(train)} if train else {}), **{name: corpus.sample for name, corpus in data.corpora.items()}}
