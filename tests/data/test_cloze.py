"""Texts in a template are what plain tokenisation makes of the filled template, in vocabularies of every make; only texts are cut."""

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, processors

from acclimate.data.cloze import check_template, cloze_sequences, pattern_of, pieces_of
from acclimate.data.tokens import TokenStore
from acclimate.errors import ModelError, SettingsError
from acclimate.modeling.base_files import read_tokenizer
from acclimate.modeling.named import packaged_base

TEXTS = ("a fine film", "it was long, and dull", "")
OTHERS = ("not so", "it was", "a longer one than the first of these")


def byte_level():
    """As RoBERTa's: words know the space before them, and the mask takes the space before itself."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *letters, "Ġi", "Ġa"]
    tokenizer = Tokenizer(models.BPE({word: number for number, word in enumerate(words)}, [("Ġ", "i"), ("Ġ", "a")]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True, special=True)])
    tokenizer.post_processor = processors.RobertaProcessing(("</s>", 2), ("<s>", 0), add_prefix_space=False)
    return tokenizer


def pieces_with_marks():
    """As XLM-R's: pieces that begin a word have a mark, also behind a special token."""
    pieces = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("<mask>", 0.0), ("▁", -3.0), ("▁good", -1.0)]
    pieces += [(letter, -4.0) for letter in "abcdefghijklmnopqrstuvwxyzIR?.,:"]
    tokenizer = Tokenizer(models.Unigram(pieces, unk_id=3))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()])
    tokenizer.add_special_tokens(["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True, special=True)])
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", "<s> $A </s> </s> $B </s>", [("<s>", 0), ("</s>", 2)])
    return tokenizer


VOCABULARIES = {
    "word pieces": lambda: read_tokenizer(packaged_base("acclimate-tiny") / "tokenizer.json"),
    "bytes": byte_level,
    "marks": pieces_with_marks,
}


@pytest.fixture(params=VOCABULARIES)
def tokenizer(request):
    return VOCABULARIES[request.param]()


def sequences(tokenizer, template, columns, length, folder):
    pattern = pattern_of(tokenizer, template, len(columns))
    stores = [TokenStore.build(folder / f"{at}", iter(column), tokenizer, "tried") for at, column in enumerate(pattern.led(columns))]
    return cloze_sequences(stores, pattern, length)


@pytest.mark.parametrize(
    "template",
    [
        "{text} It was {mask}.", "Review: {text} It is {mask} .", "{mask} : {text}", "({mask}) {text}", "{text} ? {mask} , {text_b}",
        "{text_b} {mask} {text}",
    ],
)  # fmt: skip
def test_a_filled_template_has_the_tokens_that_the_tokenizer_gives_the_whole(template, tokenizer, tmp_path):
    columns = (TEXTS, OTHERS) if "text_b" in template else (TEXTS,)
    mask = "[MASK]" if tokenizer.token_to_id("<mask>") is None else "<mask>"
    texts = sequences(tokenizer, template, columns, 200, tmp_path)
    batch = texts.batch(range(len(TEXTS)))
    filled = [template.format(text=text, text_b=other, mask=mask) for text, other in zip(TEXTS, OTHERS, strict=True)]
    for row, whole in enumerate(filled[:2]):
        assert batch.input_ids[batch.offsets[row] : batch.offsets[row + 1]].tolist() == tokenizer.encode(whole).ids
    assert batch.lengths.tolist() == texts.lengths.tolist()
    assert set(batch.input_ids[batch.targets["target_index"]].tolist()) == {tokenizer.token_to_id(mask)}
    assert len(batch.targets["target_index"]) == len(TEXTS), "an empty text has its template"
    assert batch.position_ids.tolist() == [place for length in batch.lengths for place in range(length)]


def test_a_word_has_the_tokens_that_it_has_where_the_mask_stands():
    tokenizer = pieces_with_marks()
    good = tokenizer.token_to_id("▁good")
    assert pieces_of(tokenizer, "{text} It was {mask}.", "good") == (good,)
    assert pieces_of(tokenizer, "{mask}: {text}", "good") == (good,)
    by_bytes = byte_level()
    assert pieces_of(by_bytes, "{text} was {mask}.", "is") == tuple(by_bytes.encode(" is", add_special_tokens=False).ids)
    assert pieces_of(by_bytes, "{mask}: {text}", "is") == tuple(by_bytes.encode("is", add_special_tokens=False).ids)


@pytest.mark.parametrize(("template", "columns"), [("{text} It was {mask}.", (TEXTS,)), ("{text} ? {mask} , {text_b}", (TEXTS, OTHERS))])
def test_texts_are_cut_and_the_template_never(template, columns, tmp_path):
    tokenizer = VOCABULARIES["word pieces"]()
    whole, cut = sequences(tokenizer, template, columns, 60, tmp_path / "a"), sequences(tokenizer, template, columns, 10, tmp_path / "b")
    assert whole.cut_tokens == 0
    assert cut.cut_tokens == whole.lengths.sum() - cut.lengths.sum() > 0
    assert cut.lengths.max() == 10
    batch = cut.batch([1])
    assert batch.input_ids[batch.targets["target_index"]].tolist() == [tokenizer.token_to_id("[MASK]")]
    parts = cut.pattern.parts
    assert batch.input_ids[-1] == parts[-1]
    with pytest.raises(SettingsError, match="max_length: of 7 tokens the template takes 7: no text has room"):
        sequences(tokenizer, "{text} It was so {mask}.", (TEXTS,), 7, tmp_path / "c")


@pytest.mark.parametrize(
    ("template", "texts", "said"),
    [
        ("{text} It was.", 1, r"no place for \{mask\}.*e\.g\. '\{text\} It was \{mask\}\.'"),
        ("It was {mask}.", None, r"no place for \{text\}"),
        ("{text} {mask} {mask}", 1, r"2 places for \{mask\}"),
        ("{text} {mask} {}", 1, r"the place \{\}, which says nothing"),
        ("{text} {mask!r}", 1, r"the place \{mask!r\}"),
        ("{text} {mask", 1, "cannot be read"),
        ("{text} {mask} {text_b}", 1, r"the place \{text_b\}, which says nothing of single texts"),
        ("{text} {mask}", 2, r"no place for \{text_b\}, and needs one; e\.g\. '\{text\} \? \{mask\} , \{text_b\}'"),
    ],
)
def test_a_template_has_one_place_for_each_text_and_the_mask(template, texts, said):
    with pytest.raises(SettingsError, match=f"template: .*{said}"):
        check_template(template, texts)


def test_what_would_become_one_token_with_its_neighbour_is_refused():
    tokenizer = VOCABULARIES["word pieces"]()
    with pytest.raises(SettingsError, match=r"the tokenizer makes one token of .* put a space between them"):
        pieces_of(tokenizer, "{text} was {mask}ing", "go")
    with pytest.raises(SettingsError, match="template: "):
        pattern_of(tokenizer, "re{text} was {mask}", 1)


def test_a_vocabulary_without_a_mask_is_refused():
    with pytest.raises(ModelError, match=r"no mask token .* cannot fill a mask in a template"):
        pattern_of(Tokenizer(models.WordLevel({"a": 0, "[UNK]": 1}, "[UNK]")), "{text} {mask}", 1)
