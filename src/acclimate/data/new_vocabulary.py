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
from acclimate.errors import DataError, SettingsError
from acclimate.files import atomic_folder, write_json

VocabularyKind = Literal["wordpiece", "bytes"]
MOST_CHARACTERS = 1000  # of a WordPiece alphabet, as in BERT; rarer ones are unknown
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

    @property
    def characters_per_token(self) -> float:
        """Mean length of a token; the longer, the shorter the sequences."""
        return self.characters / max(self.tokens, 1)


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
    corpus: Corpus, out: Path, *, size: int = 16_384, kind: VocabularyKind = "wordpiece", cased: bool = False, min_frequency: int = 2
) -> Learned:
    """Learn a vocabulary of at most `size` entries and write it into the folder `out`, which appears when it is complete.

    The same corpus gives the same bytes. It is read three times (characters, vocabulary, length in tokens), a document at a time; only its
    different words are in memory. Pieces are merged while a pair occurs `min_frequency` times. Bytes keep upper case whatever `cased` is.

    Raises:
        SettingsError: `out` is not empty, or `size` does not hold the alphabet.
        DataError: the corpus has no document, or one that cannot be used.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SettingsError(f"{out}: not empty; choose another --out")
    family = _FAMILIES[kind]
    if kind == "bytes":
        _check_size(size, len(family.special) + len(BYTES), "256 bytes")
    empty = _wordpiece(family, cased) if kind == "wordpiece" else _byte_level()
    letters, documents, characters = _read(corpus, empty if kind == "wordpiece" else None)
    if not documents:
        raise DataError(f"{corpus.files[0] if corpus.files else corpus.name}: the corpus holds no usable document")
    if kind == "wordpiece":
        inside = _inside(letters, empty)
        least = len(family.special) + len(letters) + len(inside)
        _check_size(size, least, f"{len(letters):,} characters, {len(inside):,} of them inside of words, too")
        tokenizer = _train_wordpiece(empty, corpus.documents(), family, cased, letters, inside, size, min_frequency)
    else:
        tokenizer = _train_bytes(empty, corpus.documents(), family, size, min_frequency)
    with atomic_folder(out) as folder:
        tokenizer.save(str(folder / "tokenizer.json"))
        write_json(folder / "tokenizer_config.json", _config(family, tokenizer, kind, cased))
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=".tmp-") as temporary:
            tokens = TokenStore.build(Path(temporary) / "store", corpus.documents(), tokenizer, "").total
    return Learned(tokenizer.get_vocab_size(), documents, characters, tokens)


def _check_size(size: int, least: int, alphabet: str) -> None:
    if size < least:
        raise SettingsError(f"size: {size:,} entries are too few for the special tokens and {alphabet}; choose {least:,} or more")


def _read(corpus: Corpus, tokenizer: Tokenizer | None) -> tuple[list[str], int, int]:
    """(the alphabet of the normalised text, sorted; documents; characters). No alphabet without a tokenizer."""
    counts: Counter[str] = Counter()
    documents = characters = 0
    normalise: Callable[[str], str] | None = tokenizer.normalizer.normalize_str if tokenizer is not None else None
    for text in corpus.documents():
        documents, characters = documents + 1, characters + len(text)
        if normalise is not None:
            counts.update(normalise(text))
    known = sorted((letter for letter in counts if not letter.isspace()), key=lambda letter: (-counts[letter], letter))
    return sorted(known[:MOST_CHARACTERS]), documents, characters


def _inside(letters: list[str], tokenizer: Tokenizer) -> list[str]:
    # Punctuation and Chinese characters are words of their own: no word goes on with them.
    normalise, split = tokenizer.normalizer.normalize_str, tokenizer.pre_tokenizer.pre_tokenize_str
    return [CONTINUED + letter for letter in letters if len(split(normalise(f"a{letter}a"))) == 1]


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
