"""What a masked language model puts into the gaps of sentences: a table for its results page, good and bad answers alike.

python bases/fill.py src/acclimate/bases/mini bases/sentences.txt
"""

import argparse
from pathlib import Path

from transformers import AutoTokenizer, pipeline

from acclimate.report.pages.markdown import grid
from acclimate.report.tables.grid import Grid


def main() -> None:
    """Print the three likeliest pieces for each line's gap, which is written ___."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a folder or a hub id")
    parser.add_argument("sentences", type=Path, help="a sentence a line, each with one gap: ___")
    options = parser.parse_args()
    tokenizer = AutoTokenizer.from_pretrained(options.model)
    fill = pipeline("fill-mask", model=options.model, tokenizer=tokenizer, top_k=3, device="cpu")
    rows = []
    for line in options.sentences.read_text(encoding="utf-8").splitlines():
        found = fill(line.replace("___", tokenizer.mask_token))
        rows.append((line, ", ".join(f"{each['token_str']} ({each['score']:.0%})" for each in found)))
    print(grid(Grid("Gaps and what is put into them", ("sentence", "likeliest pieces"), tuple(rows), frozenset({0, 1}))))


if __name__ == "__main__":
    main()
