"""What `pretrain` does for vectors of texts (`objective: tsdae` and `simcse`): no labels, the same text, held out alike."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from torch import nn

from acclimate.data.cut_texts import RULES, TextBegins
from acclimate.data.deleted_words import marked_words
from acclimate.data.held_out import Stretches
from acclimate.data.in_turn import Stepwise
from acclimate.data.tokens import special_ids
from acclimate.errors import DataError
from acclimate.evaluation.cost import training_flops
from acclimate.evaluation.heldout_loss import Heldout
from acclimate.evaluation.heldout_texts import given_back, told_apart
from acclimate.files import digest_json
from acclimate.modeling.embedder import Embedder, load_embedder, save_embedder
from acclimate.modeling.embedding_form import EmbeddingForm
from acclimate.modeling.execution import checkpoint_activations
from acclimate.modeling.families import Dimensions, dimensions_of
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.longest import sequence_length
from acclimate.modeling.products import quicken
from acclimate.modeling.text_decoder import decoder_for
from acclimate.objectives.simcse import TwoViews
from acclimate.objectives.tsdae import Deletion, Denoiser, GivenBack, heldout_texts
from acclimate.randomness import seed_of
from acclimate.stages.base import Context, Outcome
from acclimate.stages.pace import Pace
from acclimate.stages.pretrain import Pretrain
from acclimate.stages.pretraining_kept import Before, course_of, learn_alone
from acclimate.stages.pretraining_steps import Steps
from acclimate.stages.pretraining_text import PretrainingText, notes_on, read_text
from acclimate.stages.trainer import Trainer, forward_tokens
from acclimate.stages.without_labels import DELETE, TEMPERATURE
from acclimate.training.groups import decayed, in_two
from acclimate.training.loop import Group, Objective

ALONE = "a batch holds a single text, or the same one again and again, so there are no others to tell it from"


class _Learned(NamedTuple):
    """What is trained by an objective, and how it is judged."""

    module: nn.Module
    """The encoder with whatever is thrown away afterwards."""
    objective: Callable[[Stepwise, int], Objective]
    """Of an order and a seed."""
    heldout: Callable[[int], Heldout]
    """In forward passes of at most so many tokens."""
    decoded: float
    """Operations, forward, of all that is not the encoder, for a token of a whole text."""


def pretrain_vectors(stage: Pretrain, parent: ModelFolder, context: Context) -> Outcome:
    """Train an encoder's vectors of texts, as the stage says, and leave a folder that says how they are made.

    Raises:
        DataError: there are no two texts to tell apart.
    """
    form = EmbeddingForm.of(parent.config)
    form = form if stage.pooling is None else form.model_copy(update={"pooling": stage.pooling})
    # Text that a vector is not made of is not learned from either.
    length = sequence_length(stage.max_length or form.max_length, parent)
    special = sum(map(len, special_ids(parent.tokenizer())))
    text, cut_notes, texts = _read(stage, parent, context, length - special)
    lengths = text.lengths(special)
    planned = Steps.of(stage, lengths, length, context.seed)
    embedder = load_embedder(parent, form, stage.dropout, context.seed, context.runtime.fast)
    if stage.gradient_checkpointing:
        checkpoint_activations(embedder.encoder.model)
    learned = (_tsdae if stage.objective == "tsdae" else _simcse)(stage, parent, embedder, text, length, context.seed)
    if context.runtime.fast.onednn:
        quicken(learned.module)  # the decoder: the encoder is already
    with _VectorTrainer(stage, context, embedder, learned) as trainer:
        heldout = learned.heldout(trainer.micro)
        trainer.notes += [*notes_on(stage, planned, text), *text.notes(), *cut_notes, *heldout.notes()]
        if stage.objective == "tsdae" and stage.head_warmup:
            seed = seed_of(context.seed, "head alone")
            first = Steps.of(stage, lengths, length, seed).order
            alone = learn_alone(stage, trainer, embedder, learned.objective(first, seed), planned.steps)
            trainer.notes.append(f"the decoder was trained alone for {alone} steps first; the held-out loss before is measured after that")
            trainer.read += _tokens(first, text, special, alone)
        asked = sum(windows.tokens + special * len(windows) for windows in text.heldout.values())
        judge, before = heldout.judge(trainer.devices), Before(trainer, heldout, ALONE)
        result = trainer.fit(learned.objective(planned.order, context.seed), judge, course_of(stage, planned, asked))
        if result.passed_over == result.steps:
            raise DataError(f"objective: {stage.objective}: {ALONE}; raise batch_tokens, or give it other text")
        best = before.best(result)
        trainer.notes += before.notes(result)
        read = _tokens(planned.order, text, special, result.steps)
        text = text.after(planned.order, special, read)
        trainer.notes += text.replayed(stage.replays())
        flops = trainer.flops(float(text.training.length.mean()) + special, learned.decoded, trainer.read + read)
        trainer.save(parent, form)
    metrics = {
        "heldout_loss_before": before.loss,
        "heldout_loss_after": best.get("heldout_loss"),
        "heldout_accuracy": best.get("heldout_accuracy"),
        "heldout_tokens": asked,
        **text.measured(best, heldout.batches.keys()),
        **texts,
        "windows": len(text.training),
        "steps_passed_over": result.passed_over,
        **result.measured(),
        **before.kept(result),
        "tokens": trainer.read + read,
        "micro_tokens": trainer.micro,
        "epochs": round(read / planned.epoch, 3),
        "pooling": form.pooling,
    }
    trainer.tokens = trainer.read + read
    return trainer.outcome(metrics, flops)


def _read(stage: Pretrain, parent: ModelFolder, context: Context, room: int) -> tuple[PretrainingText, list[str], dict[str, int]]:
    """The text in texts of at most `room` tokens; what should be known of how it was cut, and counts of that."""
    what, tokenizer, corpora = stage.texts or "sentences", parent.tokenizer(), stage.documents(context.data)
    begins: dict[str, TextBegins] = {}
    for name, corpus in corpora.items():
        key = digest_json(["texts", RULES, what, context.tokens_key(corpus, parent)])
        folder, store = context.cache / key[:32], context.tokens(corpus, parent)
        begins[name] = TextBegins.build(folder, corpus, store, tokenizer, what, key, context.patience)
    found = {"texts": 0, "texts_in_windows": 0}

    def cut(name: str, stretches: Stretches) -> Stretches:
        texts = begins[name].cut(stretches)
        found["texts"] += len(texts.length)
        found["texts_in_windows"] += int((texts.length > room).sum())
        return texts

    text = read_text(corpora, stage.shares(), parent, context, room, (stage.heldout_share, stage.heldout_tokens), cut)
    notes = []
    if long := found["texts_in_windows"]:
        one = f"{what[:-1] if long == 1 else what} of {found['texts']:,}"
        notes.append(f"{long:,} {one} are longer than {room:,} tokens, and are read in several windows, each a text by itself")
    if uncut := sum(each.uncut for each in begins.values()):
        notes.append(f"{uncut:,} documents are not cut into {what}: in them tokens cannot be told by the place where they stand")
    text = text.replaying(stage.replays(), stage.replay)
    return PretrainingText(text.store, text.training, text.heldout, text.facts, {}, text.windows), notes, found


def _tsdae(stage: Pretrain, parent: ModelFolder, embedder: Embedder, text: PretrainingText, length: int, seed: int) -> _Learned:
    # What the decoder sees of a text is its vector as it was pooled: its length says something, too.
    embedder.form = embedder.form.model_copy(update={"normalize": False})
    model = embedder.encoder.model
    decoder = decoder_for(model, embedder.width, length, seed)
    deletion = Deletion(stage.delete or DELETE, marked_words(parent.tokenizer()), *special_ids(parent.tokenizer()))
    words = sum(parameter.numel() for parameter in model.get_input_embeddings().parameters())
    layer = sum(parameter.numel() for name, parameter in decoder.named_parameters() if parameter.ndim > 1 and name != "positions.weight")

    def heldout(micro: int) -> Heldout:
        batches = {name: heldout_texts(text.store, windows, deletion, micro) for name, windows in text.heldout.items()}
        return Heldout(batches, (), stage.replays(), given_back)

    def objective(order: Stepwise, seed: int) -> Objective:
        return GivenBack(text.store, text.training, order, deletion, seed)

    return _Learned(Denoiser(embedder, decoder), objective, heldout, 2.0 * (layer + words))


def _simcse(stage: Pretrain, parent: ModelFolder, embedder: Embedder, text: PretrainingText, length: int, seed: int) -> _Learned:
    embedder.form = embedder.form.model_copy(update={"normalize": True})  # cosines
    affixes = special_ids(parent.tokenizer())

    def objective(order: Stepwise, seed: int) -> TwoViews:
        return TwoViews(text.store, text.training, order, *affixes, stage.temperature or TEMPERATURE)

    def heldout(micro: int) -> Heldout:
        any_order: Any = None
        views = objective(any_order, seed)
        made = {name: views.heldout(windows) for name, windows in text.heldout.items()}
        silent = tuple(name for name, batches in made.items() if not batches)
        batches = {name: batches for name, batches in made.items() if batches}
        measure = partial(told_apart, objective=views, max_tokens=micro)
        return Heldout(batches, silent, stage.replays(), measure, "there are no two held-out texts of {} to tell apart")

    return _Learned(embedder, objective, heldout, 0.0)


def _tokens(order: Stepwise, text: PretrainingText, special: int, steps: int) -> int:
    """Of the texts that an order reads in so many steps, each once and whole, special ones included."""
    lengths = text.training.length.astype(np.int64) + special
    return sum(int(lengths[order.batch(step)].sum()) for step in range(steps))


class _VectorTrainer(Trainer):
    """A trainer of an encoder of texts, with what is over it while it learns."""

    def __init__(self, stage: Pretrain, context: Context, embedder: Embedder, learned: _Learned) -> None:
        model, size = embedder.encoder.model, dimensions_of(embedder.encoder.model.config.to_dict())
        own = {id(parameter) for parameter in model.parameters()}

        def groups(pace: Pace) -> list[Group]:
            over = (each for each in learned.module.parameters() if id(each) not in own and each.requires_grad)
            return [*decayed(model, pace.weight_decay), *in_two(over, pace.weight_decay)]

        micro = forward_tokens(context, model, _like_masked(stage, size))
        super().__init__(context, learned.module.to(context.runtime.devices.device), micro, stage, groups, type(model).__name__)
        self.embedder = embedder
        self.read = 0  # tokens of texts, each once and whole
        if embedder.encoder.execution != "packed":
            self.notes.append(embedder.encoder.reason)

    @property
    def parameters(self) -> tuple[int, int]:
        """(all, those that are trained) of the model that is left at the end."""
        count = sum(parameter.numel() for parameter in self.embedder.parameters())
        return count, count

    def flops(self, mean_length: float, decoded: float, read: int) -> float:
        """Operations of all that was trained; `decoded` of a token of a whole text forward, of which `read` were read."""
        model = self.embedder.encoder.model
        size = dimensions_of(model.config.to_dict())
        embeddings = sum(parameter.numel() for parameter in model.get_input_embeddings().parameters())
        body = self.parameters[0] - embeddings
        return training_flops(parameters=body, tokens=self.tokens, width=size.layers * size.width, length=mean_length) + 3 * decoded * read

    def save(self, parent: ModelFolder, form: EmbeddingForm) -> None:
        """Write the encoder over everything that its parent carries."""
        if self.devices.is_main:
            self.embedder.form = form
            save_embedder(self.context.output / "model", parent, self.embedder)


def _like_masked(stage: Pretrain, size: Dimensions) -> float:
    """The share of masked tokens that would take as much memory as the decoder takes for a token that the encoder sees."""
    if stage.objective != "tsdae":
        return 0.0
    a_token = 16 * size.width + 3 * size.feed_forward + 3 * size.embedding
    return a_token / (1 - (stage.delete or DELETE)) / (3 * size.vocabulary)
