"""Write the sentences in tags/: first lines of contracts, made up, with their parties, dates, amounts and places marked.

The names in dev and test are none of train's, so that nothing is found by heart. `python make_tags.py` writes the same files again.
"""

import random
from pathlib import Path


def listed(names: str) -> list[str]:
    """Names with blanks between them; a blank in a name is written `_`."""
    return [name.replace("_", " ") for name in names.split()]


FIRST = listed(
    "Harlow Finch Marston Kepler Orsini Belmont Tanaka Novak Quimby Sørensen Delacroix Abara Whitby Lindqvist Okafor Mercer Vance Rossi"
)
LAST = listed("Holdings Logistics Partners Foods Energy Software Textiles Marine Capital Labs")
FORM = listed("Ltd. LLC GmbH Inc. S.p.A. plc")
PEOPLE = listed("Maria Ahmed Chloé John Ingrid Pedro Yuki Grace Ivan Leila Tomás Ruth")
CITIES = listed("Hamburg Leeds Osaka Porto Accra Lyon Boston Tallinn Graz Perth Malmö Quito New_York San_Marino Cape_Town")
MONTHS = listed("January February March April May June July August September October November December")
KINDS = listed("Lease Supply Loan Service Licence Purchase Employment Distribution")
TEMPLATES = [
    "This {kind} Agreement is made on {date} between {party} and {party} .",
    "{party} , a company with its seat in {place} , shall pay {amount} to {party} no later than {date} .",
    "The {kind} Agreement of {date} ends when {party} gives notice in writing .",
    "Any dispute is settled by the courts of {place} , whose judgment is final .",
    "{person} ( the Tenant ) rents the flat in {place} from {party} for {amount} a month .",
    "The deposit of {amount} is held by {party} until {date} .",
    "Neither party may assign this {kind} Agreement without the consent of the other .",
    "Signed in {place} , {date} , by {person} for {party} .",
    "Delivery to {place} is free for orders above {amount} .",
    "The buyer may return the goods within thirty days if they do not meet the description .",
]


def value(slot: str, names: dict[str, list[str]], rng: random.Random) -> str:
    """Something to stand in the place of a slot."""
    match slot:
        case "party":
            second = rng.choice(["", f"& {rng.choice(names['first'])} "])
            return f"{rng.choice(names['first'])} {second}{rng.choice(LAST)} {rng.choice(FORM)}"
        case "person":
            return f"{rng.choice(names['people'])} {rng.choice(names['first'])}"
        case "place":
            return rng.choice(names["cities"])
        case "date":
            return f"{rng.randint(1, 28)} {rng.choice(MONTHS)} {rng.randint(1995, 2024)}"
        case "amount":
            euros = f"EUR {rng.randint(2, 90)},{rng.randint(0, 999):03}"
            forms = (euros, f"$ {rng.randint(100, 999)}", f"{rng.randint(2, 40)} million euros")
            return rng.choice(forms)
    return rng.choice(KINDS)


def sentence(names: dict[str, list[str]], rng: random.Random) -> list[tuple[str, str]]:
    """Words with their tags, IOB2."""
    words: list[tuple[str, str]] = []
    for part in rng.choice(TEMPLATES).split():
        slot = part.strip("{}")
        filled = value(slot, names, rng).split() if part != slot else [part]
        label = slot.upper() if part != slot and slot != "kind" else None
        words += [(word, "O" if label is None else f"{'I' if number else 'B'}-{label}") for number, word in enumerate(filled)]
    return words


def main() -> None:
    """Write train.conll, dev.conll and test.conll; no sentence stands in two of them."""
    seen: set[tuple[tuple[str, str], ...]] = set()
    for split, count, quarters in (("train", 240, (2, 3)), ("dev", 60, (0,)), ("test", 120, (1,))):
        rng = random.Random(f"tags {split}")
        every = {"first": FIRST, "people": PEOPLE, "cities": CITIES}
        names = {kind: [name for place, name in enumerate(known) if place % 4 in quarters] for kind, known in every.items()}
        drawn = dict.fromkeys(tuple(sentence(names, rng)) for _ in range(count))
        rows = [row for row in drawn if row not in seen]
        seen.update(rows)
        text = "\n".join("".join(f"{word}\t{tag}\n" for word, tag in row) for row in rows)
        (Path(__file__).parent / "tags" / f"{split}.conll").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
