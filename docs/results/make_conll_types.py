"""Which types of entity does a sentence name? CoNLL 2003 (Tjong Kim Sang & De Meulder 2003) as texts with several labels or none.

python docs/results/make_conll_types.py FOLDER_OF_NER_CONLL2003 docs/results/conll-types

Reads train, dev and test.jsonl.gz with `tokens` and IOB `tags`, and writes train, dev and test.jsonl with `text` (tokens with a space
between them) and `labels` (LOC, MISC, ORG, PER: each type that some token has). The texts are not part of this repository.
"""

import gzip
import json
import sys
from collections import Counter
from pathlib import Path


def main(source: Path, out: Path) -> None:
    """Write the three splits, and say how many labels their sentences have."""
    out.mkdir(parents=True, exist_ok=True)
    for split in ("train", "dev", "test"):
        with gzip.open(source / f"{split}.jsonl.gz", "rt", encoding="utf-8") as file:
            sentences = [json.loads(line) for line in file]
        rows = [{"text": " ".join(each["tokens"]), "labels": types(each["tags"])} for each in sentences]
        (out / f"{split}.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        counts = Counter(len(row["labels"]) for row in rows)
        shares = ", ".join(f"{number}: {counts[number] / len(rows):.1%}" for number in sorted(counts))
        print(f"{split}: {len(rows):,} sentences; labels each {shares}")


def types(tags: list[str]) -> list[str]:
    """The types in IOB tags such as `B-PER`, each once."""
    return sorted({tag.partition("-")[2] for tag in tags if tag != "O"})


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
