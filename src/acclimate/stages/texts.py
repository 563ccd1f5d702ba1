"""Texts as a model's tokenizer reads them: what masking must know of it, and the sequences of a split."""

from tokenizers import Tokenizer

from acclimate.data.corpus import Corpus
from acclimate.data.sequences import Sequences
from acclimate.data.tokens import special_ids, special_tokens, word_starts
from acclimate.data.windows import first
from acclimate.errors import ModelError
from acclimate.modeling.folder import ModelFolder
from acclimate.objectives.mlm import Vocabulary
from acclimate.stages.base import Context
from acclimate.tasks.split import Split

MASK_NAMES = ("[MASK]", "<mask>")


def vocabulary(tokenizer: Tokenizer, whole_word: bool) -> Vocabulary:
    """What masking must know of this tokenizer; where words begin only for `whole_word`, since not every vocabulary tells.

    Raises:
        ModelError: the vocabulary has no mask token.
        SettingsError: whole words were asked for, and the vocabulary does not mark where they begin.
    """
    mask_ids = [number for name in MASK_NAMES if (number := tokenizer.token_to_id(name)) is not None]
    if not mask_ids:
        raise ModelError(
            f"the tokenizer has no mask token (looked for {', '.join(MASK_NAMES)}), so this base cannot be pretrained with masks"
        )
    prefix, suffix = special_ids(tokenizer)
    return Vocabulary(
        size=tokenizer.get_vocab_size(with_added_tokens=True),
        mask_id=mask_ids[0],
        special=special_tokens(tokenizer),
        word_start=word_starts(tokenizer) if whole_word else None,
        prefix=prefix,
        suffix=suffix,
    )


def sequences(split: Split, folder: ModelFolder, length: int, context: Context) -> Sequences:
    """The texts of a split in the folder's vocabulary, cut to `length` tokens, special ones included."""
    prefix, suffix = special_ids(folder.tokenizer())
    store = context.tokens(Corpus.of_texts("labelled", split.inputs[0], split.text_fingerprint), folder)
    return Sequences(store, first(store, length - len(prefix) - len(suffix)), prefix, suffix)
