"""The words of a corpus that `extend` would add, shown before anything is done."""

from pathlib import Path
from typing import Any

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.data.vocabularies.choice import Choice
from acclimate.errors import SettingsError
from acclimate.modeling.base_files import TOKENIZER, read_tokenizer
from acclimate.modeling.source import resolve_base
from acclimate.study.language.language import BUILT_IN


def words_to_add(base: str, settings: dict[str, Any], corpus: dict[str, Any]) -> tuple[Choice, int]:
    """(the words of `corpus` that could become entries of the vocabulary of `base`, how many `extend` would take); nothing is written.

    Raises:
        SettingsError: a setting that the stage does not have, or words that are given already.
        ModelError: the vocabulary cannot be extended.
    """
    recipes = {"extend": [{"extend": settings}]}
    stage: Any = BUILT_IN.parse({"base": base, "data": {"domain": corpus}, "recipes": recipes}).recipes["extend"].stages[0]
    if stage.words is not None:
        raise SettingsError("words: these are given, so there is nothing to choose from; leave --show out")
    if stage.corpus != "domain":
        raise SettingsError("corpus: the words of the files that are named are shown; leave it out")
    source = resolve_base(base, Path.cwd())
    opened = Corpus.open("domain", CorpusSettings(**corpus), Path.cwd())
    return stage.choice(read_tokenizer(source.folder / TOKENIZER), {"domain": opened.documents()}), stage.most
