"""The verb `attention`: what models attend to in a sentence, side by side, and how far their heads moved over texts of a file."""

import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.data.readers.texts import check_said
from acclimate.errors import DataError, ModelError, SettingsError, StoreError
from acclimate.files import read_json
from acclimate.modeling.base_files import CONFIG
from acclimate.modeling.baselines.table import BASELINES
from acclimate.modeling.families import Dimensions, dimensions_of
from acclimate.modeling.source import resolve_base

OURS = "acclimate-"  # how the model types of plain baselines begin
TEXTS = 50  # of a file that are read: the first


@dataclass(frozen=True)
class Wanted:
    """What is looked at."""

    models: Sequence[str]
    """Folders, short names or hub ids, in the order in which one came from the other."""
    sentence: str
    texts: str | None = None
    """A file whose first `TEXTS` texts heads are compared over; None: the sentence alone."""
    reading: Mapping[str, Any] | None = None
    """How that is read."""
    layer: int | None = None
    """That is shown, from 1; None: of the head that moved most, or 1."""
    head: int | None = None
    attributions: bool = False
    """Whether to tell what each token adds to a label's logit, too."""
    label: str | None = None
    """That label; None: the one with the highest logit."""
    second: str | None = None
    """The second text of a pair, which is read together with the sentence."""
    called: Mapping[str, str] = field(default_factory=dict)
    """What is said in a model's place, where that is not as it was given."""

    @property
    def item(self) -> str | tuple[str, str]:
        """What is read at a time."""
        return self.sentence if self.second is None else (self.sentence, self.second)

    def name(self, model: str) -> str:
        """What a model is called."""
        # As it was given: two folders of one name are told apart by the rest.
        return self.called.get(model, model.rstrip("/") or model)


def attend(wanted: Wanted, say: Callable[[str], None], threads: int | None = None) -> dict[str, Any]:
    """What `attention_facts` tells of the models and, where asked, `attributions` of each that is a classifier; ready for JSON.

    Raises:
        DataError: the texts cannot be read, or there are none.
        MissingExtraError: attributions are asked for, and captum is not installed.
        ModelError: a model has no attention or cannot be read, or attributions are asked for and none is a classifier.
        SettingsError: a layer, head or label is not there, the sentence is too long, empty or no valid text, or a model is named twice.
    """
    _check(wanted)
    sources = {wanted.name(model): resolve_base(model, Path.cwd()) for model in wanted.models}
    for name, source in sources.items():
        _check_head(wanted, name, dimensions_of(source.config))
    texts = [] if wanted.texts is None else _texts(wanted.texts, wanted.reading or {})
    import torch

    from acclimate.evaluation.attention_facts import attention_facts
    from acclimate.modeling.attention_maps import AttentionReader
    from acclimate.modeling.imported_base import import_base

    if threads is not None:
        torch.set_num_threads(threads)
    with tempfile.TemporaryDirectory() as temporary:
        readers: dict[str, AttentionReader] = {}
        for number, (name, source) in enumerate(sources.items()):
            readers[name] = AttentionReader(import_base(source, Path(temporary) / str(number)))
        if len(readers) > 1:
            alone = "the sentence" if wanted.second is None else "the pair"
            say(f"comparing {len(readers)} models over {f'{len(texts)} texts' if texts else alone}")
        facts = attention_facts(readers, wanted.item, texts)
    shown = {"layer": wanted.layer, "head": wanted.head}
    facts["shown"] |= {what: asked for what, asked in shown.items() if asked is not None}
    if wanted.attributions:
        facts["attributions"] = _attributions(wanted, facts["notes"])
    return facts


def _check(wanted: Wanted) -> None:
    check_said(wanted.sentence, "the sentence")
    if wanted.second is not None:
        check_said(wanted.second, "--second")
        if not wanted.second.strip():
            raise SettingsError("--second: is empty; leave it out where one text is read")
        if wanted.attributions:
            raise SettingsError("--second: attributions are those of classifiers of single texts; leave one of the two out")
    if os.path.isdir(wanted.sentence):  # which also says no of what is too long for a path
        raise SettingsError(f"{wanted.sentence}: is a folder, where the sentence should stand: models come first, the sentence last")
    names = [wanted.name(model) for model in wanted.models]
    if twice := next((name for place, name in enumerate(names) if name in names[:place]), None):
        raise SettingsError(f"{twice}: named twice; one model needs to be named once")
    if wanted.label is not None and not wanted.attributions:
        raise SettingsError(f"--for {wanted.label}: is said of attributions; say --attributions, too")
    for model in wanted.models:
        if (plain := plain_kind(model)) is not None:
            raise ModelError(f"{wanted.name(model)}: is a model of the kind {plain}, which has no attention; name a transformer")
    if wanted.attributions:
        from acclimate.evaluation.attributions import check_captum

        check_captum()


def _check_head(wanted: Wanted, name: str, there: Dimensions) -> None:
    if wanted.layer is not None and not 1 <= wanted.layer <= there.layers:
        raise SettingsError(f"--layer {wanted.layer}: {name} has {there.layers} layers, counted from 1")
    if wanted.head is not None and not 1 <= wanted.head <= there.heads:
        raise SettingsError(f"--head {wanted.head}: {name} has {there.heads} heads in a layer, counted from 1")


def plain_kind(model: str) -> str | None:
    """The kind of a plain baseline, of a folder that one was written to or by its own name; None for everything else."""
    if (Path(model) / CONFIG).is_file():
        try:
            config = read_json(Path(model) / CONFIG)
        except StoreError:
            return None  # whoever reads it next says what is wrong
        found = config.get("model_type") if isinstance(config, dict) else None
        return str(found).removeprefix(OURS) if found in BASELINES else None
    bare = f"{OURS}{model.replace('_', '-')}" in BASELINES and not Path(model).exists()
    return model if bare else None


def _texts(path: str, reading: Mapping[str, Any]) -> list[str]:
    corpus = Corpus.open("texts", CorpusSettings(**{"path": path, **reading}), Path.cwd())
    texts = [*islice(corpus.documents(), TEXTS)]
    if not texts:
        raise DataError(f"{path}: holds no text")
    return texts


def _attributions(wanted: Wanted, notes: list[str]) -> list[dict[str, Any]]:
    from acclimate.evaluation.attributions import attributions, has_classifier

    found = []
    for model in wanted.models:
        folder = Path(model)
        if (folder / CONFIG).is_file() and has_classifier(folder):
            found.append({"name": wanted.name(model), **attributions(folder, wanted.sentence, wanted.label).as_json()})
        else:
            notes.append(
                f"{wanted.name(model)} is no folder of a trained classifier of texts, so nothing is told of what adds to its answer"
            )
    if not found:
        raise ModelError(
            f"--attributions: of {', '.join(map(wanted.name, wanted.models))} none is the folder of a trained classifier of single texts; "
            "name one that `acclimate finetune` or a study wrote"
        )
    return found
