"""How tags of words say where entities begin and end: schemes, detected over all of train, and made into IOB2.

IOB1 (Ramshaw & Marcus 1995) begins an entity with I-, and with B- only where one of the same type stands before it; IOB2 always begins
with B-. BIOES (also BILOU and BMES, in other letters) marks ends and single words, too. IO names types without letters, so neighbours of
one type are one entity. Plain tags, as parts of speech, have no O: every word stands for itself.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from acclimate.tasks.metrics.spans import OUTSIDE

Scheme = Literal["IOB1", "IOB2", "BIOES", "BILOU", "BMES", "IO", "plain"]
SCHEMES: tuple[Scheme, ...] = ("IOB1", "IOB2", "BIOES", "BILOU", "BMES", "IO", "plain")
ALSO_CALLED: Mapping[str, Scheme] = {"BIO": "IOB2", "BIO2": "IOB2", "BIO1": "IOB1", "IOBES": "BIOES", "BILUO": "BILOU", "BMEWO": "BMES"}
UNTYPED = "entity"  # the type of tags that are a letter alone

# Of each scheme its letters in the places of begin, inside, end and single.
_LETTERS: Mapping[Scheme, str] = {"IOB1": "BI", "IOB2": "BI", "BIOES": "BIES", "BILOU": "BILU", "BMES": "BMES"}
_PREFIX, _SUFFIX = re.compile(r"([BIESLUM])[-_](.+)"), re.compile(r"(.+)[-_]([BIESLUM])")
_NO_O = frozenset(("o", "0", "_", "-", "other", "out", "none", "null", "nil"))  # what others write for it
_STRAY = 0.01  # of beginnings: so few B- where IOB1 has I- are slips of IOB1
_MOSTLY = 0.5  # of tags have a letter: those that have none are slips


class Fault(NamedTuple):
    """A tag that its scheme does not allow in its place: of which word, from 0, and what is wrong."""

    word: int
    why: str
    mendable: bool = True
    """Whether it can be read as what seems to be meant."""


class Detected(NamedTuple):
    """The scheme of many sentences; None where it is not clear, and then why."""

    scheme: Scheme | None
    why: str = ""
    at: int | None = None
    """A sentence that shows it."""
    told: str = ""
    """What is to be known of it."""


def parsed(tag: str, scheme: Scheme) -> tuple[str, str] | None:
    """The letter (of B, I, E, S) and the type of a tag, two empty strings for O; None where the scheme has no such tag."""
    if scheme == "plain":
        return "S", tag
    if tag == OUTSIDE:
        return "", ""
    if scheme == "IO":
        return "I", tag
    found = _letter(tag)
    if found is None or found[0] not in _LETTERS[scheme]:
        return None
    return "BIES"[_LETTERS[scheme].index(found[0])], found[1]


def to_iob2(tags: Sequence[str], scheme: Scheme) -> tuple[list[str], list[Fault]]:
    """The same entities in IOB2 (plain tags as they are), and tags that are against the scheme, which are read as they seem to be meant.

    What begins without a beginning begins there; what does not end ends where something else begins.
    """
    if scheme == "plain":
        why = f"{OUTSIDE!r} says that a word belongs to no entity, and plain tags have none; if it is a tag here, give it another name"
        return list(tags), [Fault(word, why, mendable=False) for word, tag in enumerate(tags) if tag == OUTSIDE]
    made: list[str] = []
    faults: list[Fault] = []
    open_type, ended = "", True  # of the entity that the word before belongs to, and whether it may end there
    for word, tag in enumerate(tags):
        found = parsed(tag, scheme)
        letter, kind = found if found is not None else ("", "")
        if found is None:
            faults.append(Fault(word, f"{tag!r} is no tag of {scheme}{_meant(tag, scheme)}", mendable=False))
        goes_on = letter in ("I", "E") and kind == open_type and (scheme in ("IOB1", "IOB2", "IO") or not ended)
        if not ended and not goes_on:
            faults.append(Fault(word - 1, f"{tags[word - 1]!r} has no end in {scheme}: {tag!r} follows"))
        if kind and not goes_on and letter in ("I", "E") and scheme not in ("IOB1", "IO"):
            after = f"after {tags[word - 1]!r}" if word else "at the start"
            faults.append(Fault(word, f"{tag!r} stands {after}, where {scheme} begins an entity with B-"))
        made.append(f"{'I' if goes_on else 'B'}-{kind}" if kind else OUTSIDE)
        open_type = kind
        ended = scheme in ("IOB1", "IOB2", "IO") or letter in ("", "E", "S")
    if not ended:
        faults.append(Fault(len(tags) - 1, f"{tags[-1]!r} has no end in {scheme}: the sentence ends"))
    return made, faults


def detect(sentences: Iterable[Sequence[str]]) -> Detected:
    """The scheme of all these sentences together."""
    seen = _Seen()
    for number, tags in enumerate(sentences):
        seen.add(number, tags)
    return _by_letters(seen)


class _Seen:
    """What sentences show: how often each tag stands there, and how entities begin."""

    def __init__(self) -> None:
        self.tags: Counter[str] = Counter()
        self.begun = 0  # with B- where IOB1 has I-
        self.orphans = 0  # I- where IOB2 has B-
        self.first_of: dict[str, int] = {}  # the first sentence with a tag
        self.first_orphan: tuple[int, str] | None = None

    def add(self, number: int, tags: Sequence[str]) -> None:
        self.tags.update(tags)
        before: tuple[str, str] | None = None
        for tag in tags:
            self.first_of.setdefault(tag, number)
            found = _letter(tag)
            same = before is not None and found is not None and before[1] == found[1]
            if found is not None and not same:
                self.begun += found[0] == "B"
                self.orphans += found[0] == "I"
                if found[0] == "I" and self.first_orphan is None:
                    self.first_orphan = number, tag
            before = found


def _by_letters(seen: _Seen) -> Detected:
    typed = {tag: count for tag, count in seen.tags.items() if tag != OUTSIDE}
    lettered = {tag: found[0] for tag in typed if (found := _letter(tag)) is not None}
    bare = bool(typed) and len(lettered) == len(typed) and all(len(tag) == 1 for tag in typed)
    if not typed or (bare and OUTSIDE not in seen.tags):
        return Detected("IOB2" if not typed else "plain")
    if bare and not {"B", "I"} & set(typed):
        return Detected("IO")
    share = sum(typed[tag] for tag in lettered if bare or len(tag) > 1) / sum(typed.values())
    if share < _MOSTLY:
        small = {tag: count for tag, count in typed.items() if tag[0].islower() and _PREFIX.fullmatch(_capital(tag))}
        if sum(small.values()) >= _MOSTLY * sum(typed.values()):
            first = next(iter(small))
            mend = f"write {_capital(first)!r}; where it is a type, say `scheme: {'IO' if OUTSIDE in seen.tags else 'plain'}`"
            return Detected(None, f"most tags begin with a small letter, as {first!r}: {mend}", seen.first_of[first])
        odd = next((tag for tag, _ in seen.tags.most_common() if tag.casefold() in _NO_O), None)
        if OUTSIDE not in seen.tags and odd is not None:
            mend = f"write {OUTSIDE!r}; where it is a tag, say `scheme: plain`"
            why = f"no tag is {OUTSIDE!r} (the letter), and {odd!r} may stand for it: {mend}"
            return Detected(None, why, seen.first_of[odd])
        return Detected("IO" if OUTSIDE in seen.tags else "plain")
    letters = {lettered[tag] for tag in lettered}
    ended = sum(typed[tag] for tag, letter in lettered.items() if letter in "ELSU")
    if letters <= {"B", "I"} or 2 * ended < seen.begun + seen.orphans:  # where letters mark ends, every entity has one: these are slips
        return _iob(seen)
    known = [scheme for scheme in SCHEMES[2:5] if letters <= set(_LETTERS[scheme])]
    if not known:
        why = f"tags begin with the letters {', '.join(sorted(letters))}, which no scheme has together; say `scheme:` if one is right"
        return Detected(None, why, seen.first_of[next(tag for tag in lettered if lettered[tag] not in "BI")])
    return Detected(known[0])


def _iob(seen: _Seen) -> Detected:
    begun, orphans = seen.begun, seen.orphans
    if not orphans:
        return Detected("IOB2")
    if begun <= _STRAY * orphans:
        stray = f"{begun:,} of {begun + orphans:,} entities begin with B- where IOB1 has I-" if begun else ""
        return Detected("IOB1", told=stray)
    if begun > orphans:
        return Detected("IOB2")
    assert seen.first_orphan is not None
    at, tag = seen.first_orphan
    why = (
        f"{begun:,} entities begin with B-, as in IOB2, and {orphans:,} with I-, as in IOB1, e.g. {tag!r}; "
        "say which it is: `scheme: IOB1`, or `scheme: IOB2` with `repair: true`"
    )
    return Detected(None, why, at)


def _letter(tag: str) -> tuple[str, str] | None:
    """The letter and the type of a tag, whichever stands first; None of O and of one without a letter."""
    if found := _PREFIX.fullmatch(tag):
        return found[1], found[2]
    if found := _SUFFIX.fullmatch(tag):
        return found[2], found[1]
    return (tag, UNTYPED) if len(tag) == 1 and tag in "BIESLUM" else None


def _capital(tag: str) -> str:
    return tag[:1].upper() + tag[1:]


def _meant(tag: str, scheme: Scheme) -> str:
    if tag.casefold() in _NO_O:
        return f" — {OUTSIDE!r} (the letter) meant?"
    if tag.strip() != tag and parsed(tag.strip(), scheme):
        return " — white space around it?"
    if _capital(tag) != tag and parsed(_capital(tag), scheme):
        return f" — {_capital(tag)!r} meant?"
    return f"; its tags are {OUTSIDE} and {', '.join(f'{letter}-TYPE' for letter in _LETTERS[scheme])}"
