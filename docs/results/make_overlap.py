"""How alike the domains of Gururangan et al. (2020) are, on public texts, beside their figure 2.

python docs/results/make_overlap.py docs/results/overlap.json PT=general/*.txt.zst News=bbc.jsonl Reviews=imdb.txt.zst BioMed=... CS=...

Each is NAME=PATH, a path as `acclimate overlap` takes it; any of the five may be left out, and others may be added. The texts are not part
of this repository (`make_bbc.py` writes the news). Prints what docs/results/overlap.md shows, and writes the page beside the numbers.
"""

import sys
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

from acclimate.files import write_json
from acclimate.report.pages.overlap_page import overlap_page
from acclimate.study.compared_texts import Asked, compare_texts

PUBLISHED = {  # figure 2, per cent; it is an image, and these were not checked against it: see docs/results/overlap.md
    ("PT", "News"): 54.1, ("PT", "Reviews"): 34.5, ("PT", "BioMed"): 27.3, ("PT", "CS"): 19.2, ("News", "Reviews"): 40.0,
    ("News", "BioMed"): 24.9, ("News", "CS"): 17.3, ("Reviews", "BioMed"): 18.3, ("Reviews", "CS"): 12.7, ("BioMed", "CS"): 21.4,
}  # fmt: skip


def main(out: Path, texts: Sequence[str]) -> None:
    """Compare the texts, keep what was found, and print it beside what was published."""
    found = compare_texts(Asked(texts, None, None, {}, words=10_000, documents=50_000, seed=0), "acclimate-mini", print)
    write_json(out, found)
    out.with_suffix(".html").write_text(overlap_page(found), encoding="utf-8")
    print(table(found))


def table(found: dict[str, Any]) -> str:
    """Every pair of texts, in Markdown."""
    lines = ["| | published | of both among either | of one among the other's | divergence, bits |", "|---|---:|---:|---:|---:|"]
    for one, other in combinations(found["texts"], 2):
        known = PUBLISHED.get((one, other), PUBLISHED.get((other, one)))
        jaccard, overlap = (100 * found[measure][one][other] for measure in ("jaccard", "overlap"))
        written = "–" if known is None else f"{known:.1f}"
        lines.append(f"| {one}, {other} | {written} | {jaccard:.1f} | {overlap:.1f} | {found['divergence'][one][other]:.3f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
