"""Write the pairs of this folder: clauses of contracts, made up, with claims that follow from them, contradict them, or say something else.

Names, places and amounts of dev and test are none of train's, so that nothing is found by heart. `python make.py` writes the same again.
"""

import json
import random
from pathlib import Path

FIRST = (
    "Harlow", "Finch", "Marston", "Kepler", "Orsini", "Belmont", "Tanaka", "Novak", "Quimby", "Delacroix", "Abara", "Whitby", "Lindqvist",
    "Okafor", "Mercer", "Vance",
)  # fmt: skip
LAST = ("Holdings", "Logistics", "Partners", "Foods", "Energy", "Software", "Textiles", "Marine")
CITIES = ("Hamburg", "Leeds", "Osaka", "Porto", "Accra", "Lyon", "Boston", "Tallinn", "Graz", "Perth", "Quito", "Oslo")
# A clause, a claim that follows from it, and the same of another value, which contradicts it; a claim of another clause is neutral.
CLAUSES = (
    ("{a} pays {n},000 euros to {b} within thirty days .", "{a} owes {b} {n},000 euros .", "{a} owes {b} {m},000 euros ."),
    ("{a} , with its seat in {here} , delivers the goods free of charge .", "{a} is based in {here} .", "{a} is based in {there} ."),
    ("{b} may end this agreement with {n} days of notice .", "{b} must give {n} days of notice .", "{b} must give {m} days of notice ."),
    ("Disputes of {a} and {b} are settled by the courts of {here} .", "The courts of {here} decide .", "The courts of {there} decide ."),
    ("The flat in {here} is let to {a} for {n}00 euros a month .", "The rent of {a} is {n}00 euros .", "The rent of {a} is {m}00 euros ."),
    ("{a} keeps the documents of {b} for {n} years .", "Documents are kept for {n} years .", "Documents are kept for {m} years ."),
)  # fmt: skip


def claims(names: dict[str, list[str]], rng: random.Random) -> list[dict[str, str]]:
    """Three claims of one clause, one of each label."""
    a, b = (f"{first} {rng.choice(LAST)}" for first in rng.sample(names["first"], 2))
    here, there = rng.sample(names["cities"], 2)
    low, high = (int(bound) for bound in names["numbers"])
    n, m = rng.sample(range(low, high), 2)
    (clause, same, other), (_, elsewhere, _) = rng.sample(CLAUSES, 2)
    said = {"entailment": same, "contradiction": other, "neutral": elsewhere}
    values = {"a": a, "b": b, "here": here, "there": there, "n": n, "m": m}
    return [{"clause": clause.format(**values), "claim": claim.format(**values), "label": label} for label, claim in said.items()]


def main() -> None:
    """Write train.jsonl, dev.jsonl and test.jsonl beside this file."""
    for split, count, quarters, numbers in (
        ("train", 160, (2, 3), ("40", "99")),
        ("dev", 40, (0,), ("2", "20")),
        ("test", 80, (1,), ("20", "40")),
    ):
        rng = random.Random(f"pairs {split}")
        every = {"first": FIRST, "cities": CITIES}
        names = {kind: [name for place, name in enumerate(known) if place % 4 in quarters] for kind, known in every.items()}
        rows = [row for _ in range(count) for row in claims(names | {"numbers": list(numbers)}, rng)]
        distinct = {(row["clause"], row["claim"]): row for row in rows}.values()
        path = Path(__file__).with_name(f"{split}.jsonl")
        path.write_text("".join(json.dumps(row) + "\n" for row in distinct), encoding="utf-8")


if __name__ == "__main__":
    main()
