"""Words that somebody lists in a file, a word a line, to be added to a vocabulary."""

from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer

from acclimate.data.unknown import unknown_id
from acclimate.data.vocabularies.larger import Spelling
from acclimate.errors import SettingsError

MOST_NAMED = 5  # words in an error


def read_words(root: Path, name: str) -> tuple[str, ...]:
    """The words of a file, which is looked for from the folder `root`; empty lines are passed over.

    Raises:
        SettingsError: there is no such file, or no word in it, or a line holds several words, or one that stood before.
    """
    path = root / Path(name).expanduser()
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"words: {path} cannot be read ({error}); name a text file (UTF-8) with a word a line") from error
    first: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not (word := line.strip()):
            continue
        if len(word.split()) > 1:
            raise SettingsError(f"{path}:{number}: {word!r} is several words; write a word a line")
        if word in first:
            raise SettingsError(f"{path}:{number}: {word!r} stands in line {first[word]} already")
        first[word] = number
    if not first:
        raise SettingsError(f"{path}: there is no word in it")
    return tuple(first)


def entries_of(tokenizer: Tokenizer, spelling: Spelling, words: Sequence[str]) -> list[str]:
    """Listed words as the vocabulary would write them.

    Raises:
        SettingsError: some cannot be entries, are some already, or are one and the same in this vocabulary.
    """
    entries = {word: spelling.entry(word) for word in words}
    made = {word: tokenizer.encode(spelling.lead + word, add_special_tokens=False).ids for word in words}
    unknown, known = unknown_id(tokenizer), tokenizer.get_vocab(with_added_tokens=True)
    found = [str(entries[word]) for word in words]
    _refuse("are taken apart by this tokenizer before it looks for entries", [word for word in words if entries[word] is None])
    _refuse("hold letters that the vocabulary cannot read", [word for word in words if not made[word] or unknown in made[word]])
    _refuse("are entries of the vocabulary already", [word for word in words if len(made[word]) == 1 or entries[word] in known])
    _refuse("are one entry with a word before them", [word for place, word in enumerate(words) if found[place] in found[:place]])
    return found


def _refuse(why: str, words: Sequence[str]) -> None:
    if words:
        more = ", ..." if len(words) > MOST_NAMED else ""
        raise SettingsError(f"words: {len(words):,} {why} ({', '.join(map(repr, words[:MOST_NAMED]))}{more}); take them out")
