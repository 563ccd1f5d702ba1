"""Vocabularies that nobody would train, and texts for them: few letters, like scores, merges of anything with anything."""

from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors

LETTERS = "abc"
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
longer = st.lists(st.text(LETTERS + "d", min_size=2, max_size=5), min_size=3, max_size=25, unique=True)


def dressed(model):
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.add_special_tokens(SPECIAL)
    ends = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    return tokenizer


@st.composite
def wordpieces(draw):
    known = [*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS)]
    known += [("##" if draw(st.booleans()) else "") + word for word in draw(longer)]
    return dressed(models.WordPiece({entry: number for number, entry in enumerate(dict.fromkeys(known))}, unk_token="[UNK]"))


@st.composite
def unigrams(draw):
    # Few different scores, so that paths of equal worth are frequent.
    score = st.sampled_from([-1.0, -2.0, -3.5, -4.0])
    pieces = [(word, draw(score)) for word in [*LETTERS, *draw(longer)]]
    return dressed(models.Unigram([*((name, 0.0) for name in SPECIAL), *pieces], unk_id=1))


@st.composite
def merged(draw, affixes=(("", ""), ("##", ""), ("", "</w>"))):
    # Merges of any two entries: some can never be reached, and some pieces have several ways to them.
    prefix, suffix = draw(st.sampled_from(affixes))
    known = [*LETTERS, *(prefix + letter for letter in LETTERS), *(letter + suffix for letter in LETTERS)]
    merges = []
    for _ in range(draw(st.integers(2, 25))):
        first, second = draw(st.sampled_from(known)), draw(st.sampled_from(known))
        fits = (not prefix or second.startswith(prefix)) and (not suffix or not first.endswith(suffix))
        if fits and (first, second) not in merges:
            merges.append((first, second))
            known.append(first + second[len(prefix) :])
    vocabulary = {entry: number for number, entry in enumerate(dict.fromkeys([*SPECIAL, *known]))}
    marks = {"continuing_subword_prefix": prefix, "end_of_word_suffix": suffix}
    model = models.BPE(vocabulary, merges, unk_token="[UNK]", fuse_unk=draw(st.booleans()), ignore_merges=draw(st.booleans()), **marks)
    return dressed(model)


@st.composite
def texts_for(draw, tokenizer):
    """Texts of words that are made of entries, and of letters: one that no vocabulary knows, and one that only longer entries have."""
    bare = sorted({entry.removeprefix("##").removesuffix("</w>") for entry in tokenizer.get_vocab()} - set(SPECIAL))
    part = st.one_of(st.sampled_from(bare), st.sampled_from(bare), st.sampled_from(LETTERS + "dx"))
    text = st.lists(st.lists(part, min_size=1, max_size=3).map("".join), min_size=1, max_size=4).map(" ".join)
    return draw(st.lists(text, min_size=1, max_size=6))
