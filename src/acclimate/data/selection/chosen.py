"""What was chosen: the documents with where they stand and why, as a file, and what is to be known of them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from acclimate.data.corpus import Corpus
from acclimate.data.leaks import Judged, LeakFinder
from acclimate.data.readers.problems import Problems
from acclimate.data.selection.candidates import Candidates
from acclimate.data.selection.ranked import Choice
from acclimate.files import read_json, read_table, write_json

if TYPE_CHECKING:
    import pyarrow as pa  # loaded where it is needed: whoever looks at a study's data loads nothing heavy

FILE, FACTS = "chosen.parquet", "facts.json"
EXAMPLES, SHOWN = 3, 160  # of the first choices, characters of each
NEAR = ("near", "rank")  # where documents were chosen text by text
KEY = b"key"  # in the facts of a file that says which documents were chosen: of what decides them
SOURCES = b"sources"  # in the file's own facts: the names of the corpora that were chosen from


def write_chosen(choice: Choice, candidates: Candidates, names: Sequence[str], tests: Sequence[str] | None, folder: Path) -> dict[str, Any]:
    """Write the chosen documents in the order in which they stand in the corpora called `names`, in one pass; what was found, as JSON.

    `tests` are the texts of the test split, of which is said how many the chosen documents hold.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    order = np.argsort(choice.numbers)
    numbers = choice.numbers[order]
    corpora = candidates.corpus_of(numbers)
    begins = np.array([0, *candidates.ends[:-1]])
    columns: dict[str, Any] = {
        "corpus": pa.array([names[place] for place in corpora.tolist()], pa.string()),
        "document": numbers - begins[corpora],
        "score": choice.scores[order],
        "tokens": choice.tokens[order],
    }
    columns |= {name: values[order] for name in NEAR if (values := getattr(choice, name)) is not None}
    about, done = pa.table(columns), 0
    overlap = None if tests is None else LeakFinder(Judged(tests))
    first = {int(place): rank for rank, place in enumerate(np.argsort(order)[:EXAMPLES])}  # by where it is written
    examples: dict[str, Any] = {}
    schema = about.schema.append(pa.field("text", pa.string())).with_metadata({SOURCES: json.dumps([*names]).encode()})
    with pq.ParquetWriter(folder / FILE, schema) as writer:
        for chunk in candidates.chunks():
            texts = [chunk.texts[place] for place in np.flatnonzero(np.isin(chunk.numbers, numbers, assume_unique=True))]
            for row, text in enumerate(texts, done):
                if overlap is not None:
                    overlap.add(text)
                if row in first:
                    told = {name: about[name][row].as_py() for name in ("corpus", "document", "score")}
                    examples[str(first[row] + 1)] = {**told, "text": " ".join(text[:SHOWN].split())}
            if texts:
                writer.write_table(about.slice(done, len(texts)).append_column("text", pa.array(texts, pa.string())))
            done += len(texts)
    assert done == len(numbers), "the corpora hold what they held in the pass before"
    found = {
        "chosen": len(numbers),
        "of": candidates.documents,
        "tokens": int(choice.tokens.sum()),
        "judged_by": candidates.withheld,
        "repeated": candidates.repeated,
        "overlap": None if overlap is None else overlap.share(),
        "examples": dict(sorted(examples.items())),
    }
    write_json(folder / FACTS, found)
    return found


@dataclass(frozen=True)
class Chosen:
    """Documents that were chosen, in the folder that `write_chosen` filled; `key` names all that decides which they are."""

    folder: Path
    key: str
    told: str
    """By what, for people."""
    sources: tuple[str, ...]
    """What the corpora that were chosen from are called now: names are no part of the key, so they may have had others."""

    def corpus(self, name: str) -> Corpus:
        """Their texts, in the order in which they stand in the corpora that they come from."""

        def read(problems: Problems) -> Iterator[tuple[str, ...]]:
            import pyarrow.parquet as pq

            with pq.ParquetFile(self.folder / FILE) as file:
                for batch in file.iter_batches(columns=["text"]):
                    yield from ((text,) for text in batch.column(0).to_pylist())

        return Corpus(name, read, self.key)

    @cached_property
    def _found(self) -> Mapping[str, Any]:
        return dict(read_json(self.folder / FACTS))

    @property
    def overlap(self) -> float | None:
        """The share of test texts that they hold; None where there are none."""
        return None if (share := self._found["overlap"]) is None else float(share)

    @property
    def facts(self) -> dict[str, Any]:
        """How many of how many were chosen by what, what was left out, and the first choices."""
        counts = {name: self._found[name] for name in ("chosen", "of", "tokens", "judged_by", "repeated")}
        renamed, examples = self._renamed(), dict(self._found["examples"])
        shown = {place: {**each, "corpus": renamed.get(each["corpus"], each["corpus"])} for place, each in examples.items()}
        return {"by": {"how": self.told}, "documents": counts, "examples": shown}

    def without_texts(self) -> "pa.Table":
        """Corpus, number in it (from 0), score and tokens of each document, and the text to which it is near."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        names = [name for name in pq.read_schema(self.folder / FILE).names if name != "text"]
        table, renamed = read_table(self.folder / FILE, columns=names), self._renamed()
        corpora = [renamed.get(name, name) for name in table["corpus"].to_pylist()]
        place = table.schema.get_field_index("corpus")
        return table.set_column(place, "corpus", pa.array(corpora, pa.string())).replace_schema_metadata({KEY: self.key})

    def _renamed(self) -> dict[str, str]:
        """From the names that the corpora had when they were chosen from to those that they have now."""
        import pyarrow.parquet as pq

        then = (pq.read_schema(self.folder / FILE).metadata or {}).get(SOURCES)
        return {} if then is None else dict(zip(json.loads(then), self.sources, strict=True))
