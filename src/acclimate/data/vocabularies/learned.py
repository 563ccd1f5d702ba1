"""A vocabulary learned from a corpus: WordPiece as BERT has it, or byte-level BPE as RoBERTa has it, in a folder for transformers."""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from acclimate.data.corpus import Corpus
from acclimate.data.tokens import TokenStore
from acclimate.data.unknown import unknown_words
from acclimate.errors import DataError, SettingsError
from acclimate.files import atomic_folder, write_json
from acclimate.owned import refuse_holding

VocabularyKind = Literal["wordpiece", "bytes"]
# Of a WordPiece alphabet: the thousand most frequent characters, as in BERT, and further ones while each is one in a million and all take
# at most half of the entries. Scripts of thousands of characters are read, and a few stray ones in much English take no room from words.
FEWEST_CHARACTERS, RAREST_CHARACTER, ALPHABET_SHARE = 1000, 1e-6, 0.5
BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
CONTINUED = "##"


@dataclass(frozen=True)
class Learned:
    """What a vocabulary came to."""

    entries: int
    documents: int
    characters: int
    """In all documents."""
    tokens: int
    """Of all documents, without special tokens."""
    asked: int
    """Entries that it might have had."""
    different: int
    """Different characters in the (normalised) text, white space left out; 0 where bytes can write everything."""
    alphabet: int
    """Those of them that the vocabulary has."""
    unknown_tokens: int
    """Of all documents: words with another character, and words of more than a hundred."""
    unknown_share: float
    """Of the tokens, the unknown ones."""

    @property
    def characters_per_token(self) -> float:
        """Mean length of a token; the longer, the shorter the sequences."""
        return self.characters / max(self.tokens, 1)

    @property
    def note(self) -> str:
        """What should be said of unknown tokens without being asked; empty where they are too few to matter."""
        told = unknown_words({"this corpus": self.unknown_share})
        if not told:
            return ""
        missing = self.different - self.alphabet
        mend = (
            f"{missing:,} rare characters are left out, which --characters (and --size) takes in" if missing else "are its words too long?"
        )
        return f"{told}; {mend}; --kind bytes reads everything"


@dataclass(frozen=True)
class _Family:
    """What makes a vocabulary that of BERT or of RoBERTa."""

    class_name: str  # in transformers
    padding: str
    unknown: str
    begin: str
    end: str
    mask: AddedToken

    @property
    def special(self) -> list[str | AddedToken]:
        # In the order of their ids: RoBERTa counts positions from the padding's, which is 1 there.
        first = [self.padding, self.unknown, self.begin, self.end]
        return [*(first if self.class_name == "BertTokenizer" else [self.begin, self.padding, self.end, self.unknown]), self.mask]


_FAMILIES: dict[VocabularyKind, _Family] = {
    "wordpiece": _Family("BertTokenizer", "[PAD]", "[UNK]", "[CLS]", "[SEP]", AddedToken("[MASK]", special=True)),
    "bytes": _Family("RobertaTokenizer", "<pad>", "<unk>", "<s>", "</s>", AddedToken("<mask>", lstrip=True, special=True)),
}


def learn_vocabulary(
    corpus: Corpus,
    out: Path,
    *,
    size: int = 16_384,
    kind: VocabularyKind = "wordpiece",
    cased: bool = False,
    min_frequency: int = 2,
    characters: int | None = None,
) -> Learned:
    """Learn a vocabulary of at most `size` entries and write it into the folder `out`, which appears when it is complete.

    The same corpus gives the same bytes. It is read three times (characters, vocabulary, length in tokens), a document at a time; only its
    different words are in memory. Pieces are merged while a pair occurs `min_frequency` times. Bytes keep upper case whatever `cased` is.
    `characters` is how many of the most frequent characters a WordPiece vocabulary has; by default the thousand most frequent and
    all that are one in a million, in half of the entries at most.

    Raises:
        SettingsError: `out` is not empty, `size` does not hold the alphabet, or `characters` is given for bytes.
        DataError: the corpus has no document, or one that cannot be used.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SettingsError(f"{out}: not empty; choose another --out")
    refuse_holding(out, {"the folder of the data": {file.parent for file in corpus.files}})
    family = _FAMILIES[kind]
    if kind == "bytes":
        if characters is not None:
            raise SettingsError("characters: a vocabulary of bytes can write every character; leave it out, or take the kind wordpiece")
        _check_size(size, len(family.special) + len(BYTES), "256 bytes")
    empty = _wordpiece(family, cased) if kind == "wordpiece" else _byte_level()
    counts, documents, read = _read(corpus, empty if kind == "wordpiece" else None)
    if not documents:
        raise DataError(f"{corpus.files[0] if corpus.files else corpus.name}: the corpus holds no usable document")
    letters: list[str] = []
    if kind == "wordpiece":
        letters, inside = _alphabet(counts, empty, size - len(family.special), characters)
        least = len(family.special) + len(letters) + len(inside)
        fewer = ", or fewer characters (--characters), rarer ones being unknown"
        _check_size(size, least, f"{len(letters):,} characters, {len(inside):,} of them inside of words, too", fewer)
        tokenizer = _train_wordpiece(empty, corpus.documents(), family, cased, letters, inside, size, min_frequency)
    else:
        tokenizer = _train_bytes(empty, corpus.documents(), family, size, min_frequency)
    out = out.resolve()
    with atomic_folder(out) as folder:
        tokenizer.save(str(folder / "tokenizer.json"))
        write_json(folder / "tokenizer_config.json", _config(family, tokenizer, kind, cased))
        with tempfile.TemporaryDirectory(dir=folder) as temporary:
            store = TokenStore.build(Path(temporary) / "store", corpus.documents(), tokenizer, "")
    return Learned(
        tokenizer.get_vocab_size(), documents, read, store.total, size, len(counts), len(letters), store.unknown, store.unknown_share
    )


def _check_size(size: int, least: int, alphabet: str, other: str = "") -> None:
    if size < least:
        raise SettingsError(f"size: {size:,} entries are too few for the special tokens and {alphabet}; choose {least:,} or more{other}")


def _read(corpus: Corpus, tokenizer: Tokenizer | None) -> tuple[Counter[str], int, int]:
    """(how often each character of the normalised text occurs; documents; characters). None are counted without a tokenizer."""
    counts: Counter[str] = Counter()
    documents = characters = 0
    normalise: Callable[[str], str] | None = tokenizer.normalizer.normalize_str if tokenizer is not None else None
    for text in corpus.documents():
        documents, characters = documents + 1, characters + len(text)
        if normalise is not None:
            counts.update(normalise(text))
    for letter in [letter for letter in counts if letter.isspace()]:
        del counts[letter]
    return counts, documents, characters


def _alphabet(counts: Counter[str], tokenizer: Tokenizer, room: int, asked: int | None) -> tuple[list[str], list[str]]:
    """(the characters that a vocabulary of `room` entries begins with, sorted; those of them that words go on with, as entries)."""
    by_count = sorted(counts, key=lambda letter: (-counts[letter], letter))
    goes_on = _goes_on(tokenizer)
    if asked is not None:
        kept = by_count[:asked]
    else:
        kept, rarest = by_count[:FEWEST_CHARACTERS], RAREST_CHARACTER * counts.total()
        taken = sum(1 + goes_on(letter) for letter in kept)
        for letter in by_count[FEWEST_CHARACTERS:]:
            taken += 1 + goes_on(letter)
            if counts[letter] < rarest or taken > ALPHABET_SHARE * room:
                break
            kept.append(letter)
    kept.sort()
    return kept, [CONTINUED + letter for letter in kept if goes_on(letter)]


def _goes_on(tokenizer: Tokenizer) -> Callable[[str], bool]:
    # Punctuation and Chinese characters are words of their own: no word goes on with them.
    normalise, split = tokenizer.normalizer.normalize_str, tokenizer.pre_tokenizer.pre_tokenize_str
    return lambda letter: len(split(normalise(f"a{letter}a"))) == 1


def _wordpiece(family: _Family, cased: bool, vocabulary: dict[str, int] | None = None) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(vocabulary or {}, unk_token=family.unknown, continuing_subword_prefix=CONTINUED))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=not cased)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix=CONTINUED)
    return tokenizer


def _train_wordpiece(
    empty: Tokenizer,
    documents: Iterator[str],
    family: _Family,
    cased: bool,
    letters: list[str],
    inside: list[str],
    size: int,
    min_frequency: int,
) -> Tokenizer:
    # The library gives letters inside of words their ids in the order of a hash table, another one in each process, and breaks ties by
    # ids. So they are handed over as special tokens, in order, and the vocabulary is put into a tokenizer that never heard of that.
    special = [str(token) for token in family.special]
    trainer = trainers.WordPieceTrainer(
        vocab_size=size, min_frequency=min_frequency, special_tokens=[*special, *inside], initial_alphabet=letters,
        limit_alphabet=len(letters), continuing_subword_prefix=CONTINUED, show_progress=False,
    )  # fmt: skip
    empty.train_from_iterator(documents, trainer)
    learned = empty.get_vocab(with_added_tokens=False)
    merged = sorted(learned.keys() - {*special, *inside, *letters}, key=learned.__getitem__)
    vocabulary = {entry: number for number, entry in enumerate([*special, *letters, *inside, *merged])}
    tokenizer = _wordpiece(family, cased, vocabulary)
    tokenizer.add_special_tokens(family.special)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{family.begin}:0 $A:0 {family.end}:0",
        pair=f"{family.begin}:0 $A:0 {family.end}:0 $B:1 {family.end}:1",
        special_tokens=[(token, vocabulary[token]) for token in (family.begin, family.end)],
    )
    return tokenizer


def _byte_level() -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _train_bytes(empty: Tokenizer, documents: Iterator[str], family: _Family, size: int, min_frequency: int) -> Tokenizer:
    trainer = trainers.BpeTrainer(
        vocab_size=size, min_frequency=min_frequency, special_tokens=family.special, initial_alphabet=BYTES, show_progress=False
    )
    empty.train_from_iterator(documents, trainer)
    end, begin = ((token, empty.get_vocab()[token]) for token in (family.end, family.begin))
    empty.post_processor = processors.RobertaProcessing(end, begin, trim_offsets=True, add_prefix_space=False)
    return empty


def _config(family: _Family, tokenizer: Tokenizer, kind: VocabularyKind, cased: bool) -> dict[str, Any]:
    """tokenizer_config.json, as transformers would write it."""
    names = {"pad": family.padding, "unk": family.unknown, "cls": family.begin, "sep": family.end, "mask": str(family.mask)}
    own: dict[str, Any] = {"do_lower_case": not cased, "strip_accents": None, "tokenize_chinese_chars": True}
    if kind == "bytes":
        names |= {"bos": family.begin, "eos": family.end}
        own = {"add_prefix_space": False, "trim_offsets": True, "errors": "replace"}
    flags = ("content", "lstrip", "normalized", "rstrip", "single_word", "special")
    added = {str(number): {flag: getattr(token, flag) for flag in flags} for number, token in tokenizer.get_added_tokens_decoder().items()}
    named = {f"{name}_token": token for name, token in names.items()}
    return {"tokenizer_class": family.class_name, "added_tokens_decoder": added, **named, **own}
