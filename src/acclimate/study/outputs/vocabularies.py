"""What a changed vocabulary makes of texts: of those that the stage read, and of general ones, before and after.

It is measured here and not by the stage, whose result depends on no general text: another one is no other computation.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.data.general import GENERAL
from acclimate.data.sample import Measured, Sample
from acclimate.files import digest_file
from acclimate.modeling.base_files import TOKENIZER, read_tokenizer
from acclimate.study.outputs.outcomes import Outcomes
from acclimate.study.plan.readings import Readings
from acclimate.study.store.whole import whole_model
from acclimate.tasks.opened import Data

OWN_GENERAL = "general"  # the corpus of a study that goes before the one that comes along


def vocabulary_facts(outcomes: Outcomes, readings: Readings, data: Data) -> dict[str, list[dict[str, Any]]]:
    """By the key of each stage that changed a vocabulary, what both make of each text, on a sample of it.

    Of a text: its `text` (a corpus's name), `words`, whether they are the `whole` of it, and `tokens` and `unknown` ones, each `_before`
    and `_after`. Stages whose parent is no longer kept are left out.
    """

    @cache
    def general() -> dict[str, tuple[Sample, ...]]:
        if OWN_GENERAL in data.corpora:
            return {OWN_GENERAL: (data.corpora[OWN_GENERAL].sample,)}
        return {GENERAL: (Corpus.open(GENERAL, CorpusSettings(path=GENERAL), Path()).sample,)}

    @cache
    def counted(digest: str, path: Path, samples: tuple[Sample, ...]) -> dict[str, int]:
        tokenizer = read_tokenizer(path)
        found = [Measured.of(sample, tokenizer) for sample in samples]
        return {"tokens": sum(int(each.counts.sum()) for each in found), "unknown": sum(each.unknown for each in found)}

    facts: dict[str, list[dict[str, Any]]] = {}
    for node in outcomes.plan.nodes.values():
        if node.stage.role != "changes" or not (outcomes.store.has(node.key) and node.parent and outcomes.store.has(node.parent)):
            continue
        keys = {"before": node.parent, "after": node.key}
        files = {when: whole_model(outcomes.store, outcomes.store.path(key) / "model") / TOKENIZER for when, key in keys.items()}
        digests = {when: digest_file(path) for when, path in files.items()}
        if digests["before"] == digests["after"]:
            continue
        facts[node.key] = []
        for name, samples in {**readings.samples(node), **general()}.items():
            told: dict[str, Any] = {"text": name, "words": _words(samples), "whole": all(sample.whole for sample in samples)}
            for when, path in files.items():
                told |= {f"{what}_{when}": count for what, count in counted(digests[when], path, samples).items()}
            facts[node.key].append(told)
    return facts


def _words(samples: Iterable[Sample]) -> int:
    return sum(len(text.split()) for sample in samples for text in sample.texts)
