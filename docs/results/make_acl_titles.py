"""Titles that are to find their abstracts: a retrieval set of real text, with hard negatives by BM25.

python docs/results/make_acl_titles.py FOLDER/cs_acl_anthology_abstracts.txt.zst docs/results/acl-titles

A line of the file is a title and its abstract. 4,000 papers, drawn by their text, are the collection, without their titles; the titles of
1,000 of them are the queries of train, of 300 those of dev, and of 1,000 those of test. With every query of train stand four abstracts of
other papers that BM25 finds best for it. All other papers are domain.txt, text to pretrain on, in which nothing of the collection stands.
The texts are not part of this repository.
"""

import hashlib
import io
import json
import re
import sys
from pathlib import Path

import bm25s
import zstandard

TRAIN, DEV, TEST, COLLECTION, HARD = 1000, 300, 1000, 4000, 4
SHORTEST = 200  # characters of an abstract; a few lines are titles alone, or cut


def papers(path: Path) -> list[tuple[str, str]]:
    """Every title with its abstract, in an order that depends on the texts alone; of equal titles, or abstracts, the first."""
    with zstandard.open(path, "rb") as file:
        lines = io.TextIOWrapper(file, encoding="utf-8").read().splitlines()
    found: dict[str, str] = {}
    for line in lines:
        title, abstract = [*re.split(r"(?<=[.?!])\s+", line, maxsplit=1), ""][:2]
        if len(abstract) >= SHORTEST and len(title.split()) >= 3:
            found.setdefault(title.removesuffix("."), abstract)
    once = {abstract: title for title, abstract in reversed(found.items())}
    return sorted(((title, abstract) for abstract, title in once.items()), key=lambda paper: hashlib.sha256(paper[0].encode()).digest())


def main(source: Path, out: Path) -> None:
    """Write train.jsonl, dev.jsonl, test.jsonl, documents.jsonl (what no query asks for) and domain.txt."""
    every = papers(source)
    collection, others = every[:COLLECTION], every[COLLECTION:]
    abstracts = [abstract for _, abstract in collection]
    index = bm25s.BM25()
    index.index(bm25s.tokenize(abstracts, show_progress=False), show_progress=False)
    titles = [title for title, _ in collection[:TRAIN]]
    nearest, _ = index.retrieve(bm25s.tokenize(titles, show_progress=False), k=HARD + 1, show_progress=False)
    out.mkdir(parents=True, exist_ok=True)
    rows = [{"query": title, "positive": abstract} for title, abstract in collection[: TRAIN + DEV + TEST]]
    train = [row | {"negative": [abstracts[at] for at in nearest[i] if at != i][:HARD]} for i, row in enumerate(rows[:TRAIN])]
    rest = [{"text": abstract} for abstract in abstracts[TRAIN + DEV + TEST :]]
    written = {"train": train, "dev": rows[TRAIN : TRAIN + DEV], "test": rows[TRAIN + DEV :], "documents": rest}
    for name, some in written.items():
        (out / f"{name}.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in some), encoding="utf-8")
    (out / "domain.txt").write_text("".join(f"{title}. {abstract}\n" for title, abstract in others), encoding="utf-8")
    found = sum(i in nearest[i] for i in range(TRAIN)) / TRAIN
    print(
        ", ".join(f"{name} {len(some):,}" for name, some in written.items())
        + f", domain {len(others):,}; BM25 has {found:.0%} of train's among {HARD + 1}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
