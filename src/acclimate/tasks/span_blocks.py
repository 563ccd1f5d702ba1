"""What is told of a model that tags words: type by type, which kinds of mistakes it makes, what it takes for what, and sentences to read.

Everything is counted over the answers of all seeds together, but for the sentences.
"""

import numpy as np

from acclimate.data.ragged import Ragged
from acclimate.tasks.blocks import Cell, Mark, Marked, MarkedText, Matrix, Table
from acclimate.tasks.frequent_mistakes import frequent_mistakes
from acclimate.tasks.kind import Judged
from acclimate.tasks.metrics.classes import ratio
from acclimate.tasks.metrics.spans import (
    ENTITY_F1,
    OUTSIDE,
    TOKEN_ACCURACY,
    TOKEN_ACCURACY_WITHOUT_O,
    both,
    by_type,
    entities_of,
    entity_f1,
    paired,
    rows,
    tags_of,
)
from acclimate.tasks.split import Answers, Split
from acclimate.tasks.tag_answers import marked

MOST_TYPES = 25  # of a matrix that can still be read
MOST_SENTENCES = 8  # that are shown
LONGEST = 600  # characters that are shown of one
AROUND = 120  # characters before the first mark of a sentence that is cut
NOTHING = "no entity"


def each_type(judged: Judged) -> Table | None:
    """Strict precision, recall and F1 of each type, and how many test entities have it."""
    types = tags_of(judged.split.names).types
    if not judged.answers or not types:
        return None
    right, gold, said = np.sum([by_type(judged.split, answers) for answers in judged.answers], axis=0)
    scores = zip(types, ratio(right, said).tolist(), ratio(right, gold).tolist(), ratio(2 * right, gold + said).tolist(), strict=True)
    seeds = len(judged.answers)
    found = tuple(
        (name, precision if said[at] else None, recall if gold[at] else None, f1 if gold[at] + said[at] else None, int(gold[at]) // seeds)
        for at, (name, precision, recall, f1) in enumerate(scores)
    )
    note = "an entity is right where its words and its type are" if OUTSIDE in judged.split.names else ""
    return Table("Each type", ("type", "precision", "recall", "F1", "test entities"), found, note)


def kinds_of_mistakes(judged: Judged) -> Table | None:
    """How entities are right or wrong: missed, spurious, of a wrong type, of wrong bounds, or of both; None where tags are plain."""
    if not judged.answers or OUTSIDE not in judged.split.names:
        return None
    found = np.sum([_kinds(judged.split, answers) for answers in judged.answers], axis=0).tolist()
    names = ("right", "right type, wrong bounds", "right bounds, wrong type", "wrong type and bounds", "missed", "spurious")
    gold, said = sum(found[:5]), sum(found[:4]) + found[5]
    shares = [(count / gold if gold and name != "spurious" else None, count / said if said and name != "missed" else None)
              for name, count in zip(names, found, strict=True)]  # fmt: skip
    lines = tuple((name, count, *both) for name, count, both in zip(names, found, shares, strict=True))
    note = "missed: nothing was said in its place; spurious: there is none in its place"
    return Table("Right and wrong entities", ("entities", "times", "of true entities", "of said entities"), lines, note, shares=(2, 3))


def what_accuracy_hides(judged: Judged) -> Table | None:
    """Token accuracy beside entity F1, and what saying O everywhere would score; None where not most words are O."""
    names = judged.split.names
    if not judged.answers or OUTSIDE not in names:
        return None
    gold = rows(judged.split.gold)
    outside = float((gold.values == names.index(OUTSIDE)).mean()) if len(gold.values) else 0.0
    if outside <= 0.5:
        return None
    nothing: Answers = {"predicted": Ragged(np.full_like(gold.values, names.index(OUTSIDE)), gold.offsets)}

    def line(what: str, several: tuple[Answers, ...]) -> tuple[Cell, ...]:
        scores = (TOKEN_ACCURACY, TOKEN_ACCURACY_WITHOUT_O, ENTITY_F1)
        return (what, *(float(np.mean([score.score(judged.split, answers) for answers in several])) for score in scores))

    note = (
        f"{100 * outside:.1f} % of the test words are O, so that saying O to every word has a token accuracy of {outside:.3f} "
        "and finds no entity: token accuracy misleads, entity F1 is what counts"
    )
    lines = (line("this recipe", judged.answers), line("O for every word", (nothing,)))
    return Table("Why token accuracy misleads", ("", "token accuracy", "without O", "entity F1"), lines, note)


def confusions(judged: Judged) -> Matrix | None:
    """Which types are taken for which, of entities that overlap; None where there are too many types to read."""
    types = tags_of(judged.split.names).types
    if not judged.answers or not 1 <= len(types) <= MOST_TYPES:
        return None
    plain = OUTSIDE not in judged.split.names
    gold, said = _together(judged)
    count = len(types) + 1
    counts = np.bincount(gold * count + said, minlength=count**2).reshape(count, count)
    if plain:
        counts = counts[:-1, :-1]
    note = "rows are true types, columns what the model said" + ("" if plain else " of words that overlap")
    return Matrix("Types and what they were taken for", (*types, *(() if plain else (NOTHING,))), tuple(map(tuple, counts.tolist())), note)


def mistakes(judged: Judged) -> Table | None:
    """The most frequent pairs of a type and what was said in its place; None where all types are right."""
    if not judged.answers:
        return None
    names = (*tags_of(judged.split.names).types, NOTHING)
    return frequent_mistakes(*_together(judged), lambda number: names[int(number)], "the type is")


def sentences(judged: Judged) -> Marked | None:
    """Sentences with mistakes, those with most entities first; None where every one is right."""
    split = judged.split
    if not judged.answers or not len(split) or split.words is None or OUTSIDE not in split.names:
        return None
    right = np.mean([entity_f1(split, answers) for answers in judged.answers], axis=0)
    many = np.bincount(entities_of(rows(split.gold), split.names).item, minlength=len(split))
    wrong = [item for item in np.lexsort((np.arange(len(split)), -many, right)).tolist() if right[item] < 1]
    # Half of those that no seed finds anything of, and half of those that are found in part: each shows other mistakes.
    none, part = ([item for item in wrong if (right[item] > 0) == some] for some in (False, True))
    chosen = [*part[: MOST_SENTENCES // 2], *none[: MOST_SENTENCES - len(part[: MOST_SENTENCES // 2])]]
    if not chosen:
        return None
    some = split.take(np.array(chosen))
    answers = rows(judged.answers[0]["predicted"]).take(np.array(chosen))
    marks = [_marks(tags, some) for tags in (rows(some.gold), answers)]
    items = tuple(_cut(text, *both) for text, *both in zip(some.inputs[0], *marks, strict=True))
    note = "what the first seed said" + ("; … stands for what is cut" if any("…" in item.text for item in items) else "")
    return Marked("Sentences with mistakes", items, note)


TOLD = (each_type, kinds_of_mistakes, what_accuracy_hides, confusions, mistakes, sentences)


def _kinds(split: Split, answers: Answers) -> list[int]:
    """[6] right, wrong bounds, wrong type, both, missed, spurious; each said entity is set against one gold entity at most."""
    gold, said = both(split, answers)
    tags = rows(split.gold)
    ours, theirs = paired(gold, said, tags)
    bounds = (gold.first[ours] == said.first[theirs]) & (gold.last[ours] == said.last[theirs])
    kind = gold.type[ours] == said.type[theirs]
    counts = [int((bounds & kind).sum()), int((~bounds & kind).sum()), int((bounds & ~kind).sum()), int((~bounds & ~kind).sum())]
    return [*counts, len(gold) - len(ours), len(said) - len(theirs)]


def _together(judged: Judged) -> tuple[np.ndarray, np.ndarray]:
    """The types of gold and said entities over all seeds, in pairs; the number of types stands for no entity."""
    nothing = len(tags_of(judged.split.names).types)
    found = []
    for answers in judged.answers:
        gold, said = both(judged.split, answers)
        ours, theirs = paired(gold, said, rows(judged.split.gold))
        missed, spurious = np.setdiff1d(np.arange(len(gold)), ours), np.setdiff1d(np.arange(len(said)), theirs)
        found.append((
            np.concatenate([gold.type[ours], gold.type[missed], np.full(len(spurious), nothing)]),
            np.concatenate([said.type[theirs], np.full(len(missed), nothing), said.type[spurious]]),
        ))  # fmt: skip
    one, other = (np.concatenate(columns) for columns in zip(*found, strict=True))
    return one, other


def _marks(tags: Ragged, split: Split) -> list[list[Mark]]:
    """[N] what tags mark in each text."""
    return [[Mark(each["start"], each["end"], each["label"]) for each in entities] for entities in marked(tags, split)]


def _cut(text: str, right: list[Mark], said: list[Mark]) -> MarkedText:
    """A text of a length that can be read, from shortly before its first mark on; marks that are cut through are left out."""
    if len(text) <= LONGEST:
        return MarkedText(text, tuple(right), tuple(said))
    start = max(0, min(mark.start for mark in (*right, *said)) - AROUND)
    end = min(len(text), start + LONGEST)
    before, after = "… " if start else "", " …" if end < len(text) else ""
    move = len(before) - start
    kept = [tuple(Mark(mark.start + move, mark.end + move, mark.label) for mark in marks if mark.end <= end) for marks in (right, said)]
    return MarkedText(f"{before}{text[start:end]}{after}", *kept)
