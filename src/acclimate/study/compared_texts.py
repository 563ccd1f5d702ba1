"""The verb `overlap`: how alike corpora and a task's texts are by their words, and what each costs a base model."""

import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from glob import has_magic
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.data.readers.endings import name_without_endings
from acclimate.data.sample import Measured, Spread
from acclimate.data.shared_words import STOP_WORDS, Words, compared, words_of
from acclimate.errors import DataError, SettingsError
from acclimate.modeling.base_files import TOKENIZER, read_tokenizer
from acclimate.modeling.families import family_of
from acclimate.modeling.named import DEFAULT
from acclimate.modeling.source import Source, resolve_base
from acclimate.randomness import generator
from acclimate.study.language.language import BUILT_IN
from acclimate.tasks.split_files import location, open_splits
from acclimate.tasks.task import Task

TASK = "task"
READ_CHARACTERS = 1 << 16  # of the documents that are looked at are read by the base: some 15,000 tokens, of which 2,000 are masked
FEW_MASKED = 200  # with fewer the loss is known to a quarter of a nat or so
UNLIKE_SIZES = 4  # times as many words as another text has: then what they share says something of their sizes, too

_NAMED = re.compile(r"(\w[\w .-]*)=(.+)", re.DOTALL)


@dataclass(frozen=True)
class Asked:
    """What is compared, and how much of it is looked at."""

    paths: Sequence[str]
    """Corpora, each a path as `data:` of a study has them, or `NAME=PATH`."""
    task: str | None
    """A labelled file, a folder or a dataset: the texts of its training split are one more."""
    kind: str | None
    """The kind of that task, where its texts are more than a column: pairs, or words with tags."""
    reading: Mapping[str, Any]
    """How files are read, as settings of a corpus."""
    words: int
    """The most frequent ones that are compared."""
    documents: int
    """Of a text at most so many are looked at, drawn at random."""
    seed: int


@dataclass(frozen=True)
class _Looked:
    words: Words
    documents: int
    drawn: int
    read: Spread


def compare_texts(asked: Asked, model: str, say: Callable[[str], None], threads: int | None = None) -> dict[str, Any]:
    """Read every text, and compare them all, ready for JSON: facts of each by its name, and the measures of `shared_words` of each two.

    A model without a head for masked language modelling gives no masked loss, and that is noted.

    Raises:
        DataError: a text cannot be read, or there is nothing in it.
        ModelError: the model cannot be used.
        SettingsError: there is one text alone, two of one name, or a setting that cannot be.
    """
    corpora = _corpora(asked)
    source = resolve_base(model, Path.cwd())
    tokenizer = read_tokenizer(source.folder / TOKENIZER)  # what cannot be used is refused before a text is read
    looked = {}
    for name, corpus in corpora.items():
        looked[name] = _look(corpus, asked, name)
        say(f"{name}: {looked[name].drawn:,} of {looked[name].documents:,} documents looked at")
    notes = [*(note for corpus in corpora.values() for note in corpus.notes), *_sizes(looked, asked.words)]
    read = {name: each.read.sample() for name, each in looked.items()}
    measured = {name: Measured.of(sample, tokenizer) for name, sample in read.items()}
    losses, missing = _losses(source, {name: sample.texts for name, sample in read.items()}, say, threads)
    texts = {
        name: {
            "documents": each.documents,
            "looked_at": each.drawn,
            "left_out": corpora[name].facts.rejected or None,
            "words": each.words.running,
            "different_words": len(each.words.counts),
            "compared_words": len(each.words.top),
            "tokens_per_word": _tokens_per_word(measured[name]),
            "unknown_share": measured[name].unknown_share,
            "masked_loss": losses.get(name),
        }
        for name, each in looked.items()
    }
    return {
        "most_words": asked.words,
        "stop_words": STOP_WORDS,
        "seed": asked.seed,
        "model": source.name,
        "texts": texts,
        **compared({name: each.words for name, each in looked.items()}),
        "notes": [*notes, *missing],
    }


def _corpora(asked: Asked) -> dict[str, Corpus]:
    named = [_named(path) for path in asked.paths]
    names = Counter(name for name, _ in named)
    # Files of one name in two folders are told apart by these.
    paths = {(said if names[name] > 1 and said == path else name): path for (name, path), said in zip(named, asked.paths, strict=True)}
    if len(paths) < len(named):
        twice = next(name for name, count in names.items() if count > 1)
        raise SettingsError(f"{twice}: named twice; give one of them another name, as in {twice}2=PATH")
    if asked.kind is not None and asked.task is None:
        raise SettingsError(f"--kind {asked.kind}: is said of a task; name it with --task")
    if asked.task is not None and TASK in paths:
        raise SettingsError(f"{TASK}: is what the texts of --task are called; name the corpus otherwise, as in NAME={paths[TASK]}")
    corpora = {name: Corpus.open(name, CorpusSettings(**{"path": path, **asked.reading}), Path.cwd()) for name, path in paths.items()}
    if asked.task is not None:
        corpora[TASK] = _of_task(asked.task, asked.reading, asked.kind)
    if len(corpora) < 2:
        raise SettingsError("one text alone cannot be compared: name another corpus, or a task with --task")
    return corpora


def _named(said: str) -> tuple[str, str]:
    # (what it is called, its path).
    found = _NAMED.fullmatch(said)
    if found is not None and not Path(said).exists():
        return found[1], found[2]
    return said if has_magic(said) else name_without_endings(said) or said, said


def _of_task(path: str, reading: Mapping[str, Any], kind: str | None) -> Corpus:
    """The texts of a task's training split, as a corpus; without its kind no label is read."""
    if kind is not None:
        said = {"task": {"path": path, "kind": kind, **reading}}
        recipes = {"looked at": {"base": DEFAULT, "stages": [{"finetune": {}}]}}
        try:
            settings = BUILT_IN.parse({"data": said, "recipes": recipes}).data.task
        except SettingsError as error:
            raise SettingsError(f"--kind {kind}: no kind of labelled examples whose texts could be compared ({error})") from None
        assert settings is not None
        train = Task.open(settings, Path.cwd()).train
        return Corpus.of_texts(TASK, train.documents(), train.documents_fingerprint)
    corpus = CorpusSettings(**{"path": path, **reading})
    source = open_splits({}, path, Path.cwd(), corpus.reading)["train"]
    return Corpus.open(TASK, corpus.model_copy(update={"path": location(source, path, Path.cwd())}), Path.cwd())


def _look(corpus: Corpus, asked: Asked, name: str) -> _Looked:
    """The words of its documents, of many those that are drawn; it is read twice, once to check and count them, and never kept."""
    documents = corpus.scan().documents
    drawn = min(documents, asked.documents)
    chosen = np.zeros(documents, dtype=bool)
    chosen[generator(asked.seed, "overlap").choice(documents, drawn, replace=False)] = True
    read = Spread(READ_CHARACTERS)
    words = words_of(_passing(compress(corpus.documents(), chosen), read), asked.words)
    if not words.top:
        raise DataError(
            f"{corpus.files[0] if corpus.files else name}: there is no word in {name!r} that could be compared, but for stop words"
        )
    return _Looked(words, documents, drawn, read)


def _passing(documents: Iterator[str], read: Spread) -> Iterator[str]:
    for text in documents:
        read.add(text)
        yield text


def _sizes(looked: Mapping[str, _Looked], most: int) -> list[str]:
    """What is to be known of how long the texts are."""
    notes = [
        f"{name} has {len(each.words.top):,} different words, fewer than the {most:,} that are compared: its overlap is the share of these"
        for name, each in looked.items()
        if len(each.words.top) < most
    ]
    running = {name: each.words.running for name, each in looked.items()}
    largest, smallest = max(running, key=running.__getitem__), min(running, key=running.__getitem__)
    if running[largest] > UNLIKE_SIZES * running[smallest]:
        notes.append(
            f"{largest} was looked at with {running[largest]:,} words and {smallest} with {running[smallest]:,}: samples of unlike sizes "
            "share fewer words than their texts do"
        )
    return notes


def _tokens_per_word(measured: Measured) -> float:
    return float(measured.counts.sum()) / max(1, sum(len(text.split()) for text in measured.sample.texts))


def _losses(
    source: Source, texts: Mapping[str, Sequence[str]], say: Callable[[str], None], threads: int | None
) -> tuple[dict[str, float], list[str]]:
    """(the masked loss of each text, in nats a masked token; why there is none)."""
    from acclimate.evaluation.masked_loss import masked_loss
    from acclimate.modeling.execution import Packed
    from acclimate.modeling.heads import load_mlm
    from acclimate.modeling.imported_base import import_base
    from acclimate.training.devices import Devices

    if family_of(source.config).decoder:
        return {}, [f"{source.name} is a decoder, which fills no masks, so there is no masked loss"]
    with tempfile.TemporaryDirectory() as temporary:
        folder = import_base(source, Path(temporary) / "model")
        model, fresh = load_mlm(folder, 0)
        if fresh:
            return {}, [f"{source.name} has no head for masked language modelling, so there is no masked loss"]
        devices = Devices(threads=threads)
        packed = Packed(model).to(devices.device)
        losses = {}
        for name, each in texts.items():
            say(f"{name}: masked loss")
            losses[name] = masked_loss(packed, each, folder, devices)
    few = [
        f"the masked loss of {name} rests on {each.tokens} masked token{'s' * (each.tokens > 1)}: with another mask it may be quite another"
        for name, each in losses.items()
        if 0 < each.tokens < FEW_MASKED
    ]
    silent = [f"no token of {name} can be masked, so it has no masked loss" for name, each in losses.items() if not each.tokens]
    return {name: each.loss for name, each in losses.items() if each.tokens}, [*few, *silent]
