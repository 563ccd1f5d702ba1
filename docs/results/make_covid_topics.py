"""Posts of 2020 about COVID-19 and posts of before it, as one task with two topics: what is a post about, *Healthcare* or *Other*?

python docs/results/make_covid_topics.py FOLDER/covid_fake_news FOLDER/ner_wnut17 docs/results/covid-topics

Healthcare are posts of the COVID-19 fake news dataset (Patwa et al. 2021), Other the tweets of WNUT 2017 (Derczynski et al. 2017), words
put together again. `words` says whether a post has one of the words that a model of before 2020 cannot know: `new`, or `known`. As many of
either topic are taken, in the order of their SHA-256. The texts are not part of this repository.
"""

import gzip
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NEW = re.compile(r"covid|corona ?virus|lock-?down|pandemic", re.IGNORECASE)
SPLITS = {"train": 2000, "dev": 400, "test": 900}  # posts of either topic


def main(covid: Path, tweets: Path, out: Path) -> None:
    """Write train, dev and test."""
    out.mkdir(parents=True, exist_ok=True)
    for split, wanted in SPLITS.items():
        posts = [row["text"] for row in _rows(covid / f"{split}.jsonl.gz")]
        others = [_together(row["tokens"]) for row in _rows(tweets / f"{split}.jsonl.gz")]
        found = [*((text, "Healthcare") for text in _some(posts, wanted)), *((text, "Other") for text in _some(others, wanted))]
        rows = [{"text": text, "label": label, "words": "new" if NEW.search(text) else "known"} for text, label in found]
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
        (out / f"{split}.jsonl").write_text(lines, encoding="utf-8")
        new, other = (sum(row["words"] == "new" for row in part) for part in (rows, rows[wanted:]))
        print(f"{split}: {len(rows):,} posts, {new:,} with a new word, {other} of these Other")


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _together(tokens: list[str]) -> str:
    """The words of a tweet as somebody would write them."""
    text = " ".join(tokens)
    return re.sub(r" (?=[.,!?;:%)]|'\w|n't\b)|(?<=\() ", "", text)


def _some(texts: list[str], count: int) -> list[str]:
    found = sorted(dict.fromkeys(texts), key=lambda text: hashlib.sha256(text.encode()).hexdigest())
    assert len(found) >= count, f"{len(found)} posts are fewer than {count}"
    return found[:count]


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
