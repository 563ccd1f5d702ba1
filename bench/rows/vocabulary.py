"""`extend` by itself: how long it takes to find the words of 100 MB of text, and how fast tokenising is with 5,000 of them.

Speed is measured against the same tokenizer without them, and against `add_tokens`, by which new words usually come into a vocabulary:
`encode_batch` of documents in one thread, the sides in turn within a process. All is in seconds of processor, over all threads: what else
the machine does then counts for little, and on two free cores nobody waits longer. A vocabulary of each kind: WordPiece is the base's own,
BPE (of bytes) and Unigram are learned from the texts, 30,000 entries each.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from acclimate.data.corpus import Corpus, CorpusSettings
from acclimate.data.vocabularies.choice import Choice
from acclimate.data.vocabularies.larger import enlarged
from acclimate.data.vocabularies.mined import Rules
from acclimate.modeling.base_files import read_tokenizer
from bench import models as bases
from bench import texts
from bench.child import in_child
from bench.measure import OURS, Bar, Bench, Cell, Row, interleave, versus
from bench.rows.tokenise import source

BEFORE, ADDED = "the same without them", "add_tokens"
KINDS = ("WordPiece", "BPE", "Unigram")
SIZE, LEARNED = 30_000, 1_000_000  # entries of a vocabulary that is learned here, and characters that it is learned from


def child(bench: Bench, spec: dict[str, Any]) -> dict[str, Any]:
    """Seconds of one kind, in a process of its own: mining, or each side of the tokenising by the round."""
    tokenizer = read_tokenizer(Path(spec["tokenizer"]))
    corpus = Corpus.open("bench", CorpusSettings(path=spec["file"], documents="line"), Path("/"))
    choice = Choice(tokenizer, {"bench": corpus.documents()}, {"bench": 1.0}, Rules(spec["least"]))
    if spec["rounds"] is None:
        began, started = time.process_time(), time.perf_counter()
        words = choice.entries(spec["words"])
        seconds, waited = time.process_time() - began, time.perf_counter() - started
        return {"seconds": seconds, "waited": waited, "words": len(words), "chunks": len(choice.chunks["bench"])}
    found = choice.found[: spec["words"]]
    larger, _ = enlarged(tokenizer, [each.entry for each in found])
    added = Tokenizer.from_str(tokenizer.to_str())
    added.add_tokens([each.word for each in found])
    documents = [text for text, _ in zip(corpus.documents(), range(spec["documents"]), strict=False)]
    sides = {OURS: larger, BEFORE: tokenizer, ADDED: added}
    return {"rounds": interleave({name: _encoding(each, documents) for name, each in sides.items()}, spec["rounds"])}


def _encoding(tokenizer: Tokenizer, documents: list[str]) -> Callable[[int], float]:
    encode = getattr(tokenizer, "encode_batch_fast", tokenizer.encode_batch)

    def seconds(_: int) -> float:
        began = time.process_time()
        encode(documents, add_special_tokens=False)
        return time.process_time() - began

    seconds(0)  # the first time fills caches
    return seconds


def _vocabulary(bench: Bench, kind: str) -> Path:
    """A tokenizer.json of this kind; made once a run."""
    if kind == "WordPiece":
        return bases.base(bench, bases.names(bench)[0]).folder.tokenizer_file
    path = bench.work / f"{kind}.json"
    if not path.is_file():
        size, characters = bench.options.sized(SIZE, 1000), bench.options.sized(LEARNED, 200_000)
        trainer: Any
        if kind == "BPE":
            tokenizer = Tokenizer(models.BPE())
            tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
            trainer = trainers.BpeTrainer(vocab_size=size, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False)
        else:
            tokenizer = Tokenizer(models.Unigram())
            tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
            trainer = trainers.UnigramTrainer(vocab_size=size, unk_token="<unk>", special_tokens=["<unk>"], show_progress=False)
        tokenizer.train_from_iterator(_learned_from(bench, characters), trainer)
        tokenizer.save(str(path))
    return path


def _learned_from(bench: Bench, characters: int) -> Iterator[str]:
    return iter(texts.documents(bench.options.data, characters))


def _mine(bench: Bench) -> list[Cell]:
    file = source(bench, bench.options.sized(100_000_000, 1_000_000))
    cells = []
    for kind in KINDS:
        spec = {
            "tokenizer": str(_vocabulary(bench, kind)), "file": str(file), "words": bench.options.sized(1000, 20), "least": 5,
            "rounds": None,
        }  # fmt: skip
        found = [in_child(bench, "vocabulary", spec) for _ in range(bench.options.rounds)]
        seconds = sorted(float(each["seconds"]) for each in found)
        note = f"{found[0]['words']:,} words of {file.stat().st_size / 1e6:.0f} MB, {found[0]['chunks']:,} different strings between spaces"
        note += f"; {found[0]['waited']:.0f} s on the clock, as busy as the machine was"
        middle = seconds[len(seconds) // 2]
        cells.append(Cell(kind, middle, "s", seconds[0], seconds[-1], rounds={OURS: seconds}, rounds_unit="s", note=note))
    return cells


def _tokenise(bench: Bench) -> list[Cell]:
    file = source(bench, bench.options.sized(5_000_000, 1_000_000))
    cells = []
    for kind in KINDS:
        spec = {
            "tokenizer": str(_vocabulary(bench, kind)), "file": str(file), "words": bench.options.sized(5000, 100), "least": 2,
            "rounds": bench.options.sized(5, 1) * bench.options.rounds, "documents": bench.options.sized(300, 100),
        }  # fmt: skip
        rounds = in_child(bench, "vocabulary", spec, {"TOKENIZERS_PARALLELISM": "false"})["rounds"]
        cells += [versus(f"{kind}, against {peer}", rounds, peer, "s") for peer in (BEFORE, ADDED)]
    return cells


ROWS = (
    Row(
        "mine",
        "seconds of processor to find the 1,000 words of 100 MB of text that save most, none of which makes a text longer",
        _mine,
        {"cpu": {kind: Bar(60, "at most", "s") for kind in KINDS}},
    ),
    Row(
        "new-words",
        "seconds of processor for tokenising with 5,000 new entries, ours against the vocabulary without them and against add_tokens",
        _tokenise,
        {"cpu": {f"{kind}, against {BEFORE}": Bar(1 / 1.1) for kind in KINDS}},  # 10 % slower at most
    ),
)
