"""What training stages share: a network that is sized, timed and watched for memory while a stage trains it, and asks it.

with EncoderTrainer.of(context, parent, model, self) as trainer:
    result = trainer.fit(objective, judge, Course(steps, evaluate_every))
return trainer.outcome(metrics, trainer.flops(mean_length))
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from acclimate.data.cloze import cloze_sequences
from acclimate.data.corpus import Corpus
from acclimate.data.hidden_outputs import Precision
from acclimate.data.model_inputs import sequences_of, text_windows, word_sequences
from acclimate.data.sequences import Sequences
from acclimate.data.tokens import TokenStore
from acclimate.evaluation.cost import Cost, PeakMemory, disk_bytes, training_flops
from acclimate.evaluation.inference import LINKS, class_probabilities, inference_speed, word_probabilities
from acclimate.modeling.adapters import save_adapter
from acclimate.modeling.architecture import is_adapted
from acclimate.modeling.execution import Packed, checkpoint_activations
from acclimate.modeling.families import dimensions_of
from acclimate.modeling.folder import ModelFolder, save_model
from acclimate.modeling.four_bits import in_four_bits, numbers_in
from acclimate.modeling.frozen import divided
from acclimate.modeling.longest import sequence_length
from acclimate.stages.asking import Asked
from acclimate.stages.base import Context, Outcome
from acclimate.stages.frozen_cache import FrozenLayers
from acclimate.stages.pace import Course, EncoderPace, Pace
from acclimate.tasks.kind import Head
from acclimate.tasks.split import Split, text_digest
from acclimate.training.checkpoint import Checkpoints
from acclimate.training.groups import decayed, in_two
from acclimate.training.loop import Group, Judge, Objective, Surroundings, TrainResult, TrainSettings, train
from acclimate.training.memory import free_bytes, micro_tokens
from acclimate.training.placed import whole_because
from acclimate.training.remembered import remembered

if TYPE_CHECKING:
    from transformers import PreTrainedModel

UNDIVIDED = "--fsdp: {why}: each process held all of it"


class Trainer:
    """A network and what its training comes to; as a `with` block it watches how much memory that takes."""

    def __init__(
        self, context: Context, module: nn.Module, micro: int, pace: Pace, groups: Callable[[Pace], list[Group]], called: str = ""
    ) -> None:
        """`micro`: tokens of the largest forward pass; `groups`: the parameters that a training changes; `called`: what messages say."""
        self.context = context
        self.module = module
        self.micro = micro
        self.pace = pace
        self.devices = context.runtime.devices
        self.notes: list[str] = []
        self.tokens = 0  # that were trained on, of all parts
        self._groups = groups
        self._called = called or type(module).__name__
        self._memory = PeakMemory()
        self._trained_seconds = 0.0  # of trainings, what went before an interrupt among them
        self._here_seconds = 0.0  # of this process in them
        self._log: tuple[dict[str, Any], ...] = ()
        self._speed: Callable[[], float | None] = lambda: None  # texts a second of what was asked last

    def __enter__(self) -> Self:
        self._memory.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._memory.__exit__(*error)

    def fit(self, objective: Objective, judge: Judge | None, course: Course, part: str = "all", pace: Pace | None = None) -> TrainResult:
        """Train, or go on, and leave the best weights in the network; a part of a stage has checkpoints, and may have a pace, of its own.

        Raises:
            TrainingError: the loss is not finite, or memory does not hold a single sequence.
            Interrupted: a stop was asked for; the state is saved.
        """
        began, context, runtime = time.monotonic(), self.context, self.context.runtime
        pace = pace or self.pace
        settings = TrainSettings(
            title=context.title if part == "all" else f"{context.title} ({part} alone)",
            steps=course.steps,
            lr=pace.peak_lr(),
            warmup=pace.warmup,
            shape=pace.schedule,
            clip=pace.clip,
            seed=context.seed,
            micro_tokens=self.micro,
            evaluate_every=course.evaluate_every,
            patience=course.patience,
            patience_from=course.patience_from,
            checkpoint_seconds=runtime.checkpoint_seconds,
            model=self._called,
            read_ahead=runtime.fast.read_ahead,
        )
        if runtime.devices.shards and (why := whole_because(self.module)) and (told := UNDIVIDED.format(why=why)) not in self.notes:
            self.notes.append(told)
        log = runtime.log if part == "all" else None  # as in log.jsonl: the steps of two parts would run into each other
        around = Surroundings(runtime.devices, runtime.reporter, runtime.stop, log, context.trial if part == "all" else None)
        result = train(settings, objective, self.module, self._groups(pace), judge, Checkpoints(context.work / part), around)
        self.tokens += result.tokens
        self._trained_seconds += result.seconds
        self._here_seconds += time.monotonic() - began
        if part == "all":
            self._log = (*result.history, *result.evaluations)
        return result

    def outputs(self, texts: Sequences, head: Head) -> NDArray[np.float64]:
        """[N, L] what the network says of every text, or window of one, as the head's link reads it; [all words, L] of every word."""
        began = time.monotonic()
        if texts.pieces is None:
            found = class_probabilities(self.module, texts, len(head.names), self.micro, self.devices, LINKS[head.link])
        else:
            found = word_probabilities(self.module, texts, head.names, self.micro, self.devices)
        speed = texts.texts / max(time.monotonic() - began, 1e-9)
        self._speed = lambda: speed
        return found

    def remember(self, name: str, measure: Callable[[], float]) -> float:
        """A number that is measured once, also when the stage is stopped and goes on."""
        return remembered(self.context.work / f"{name}.json", measure, self.devices)

    @property
    def parameters(self) -> tuple[int, int]:
        """(all, those that are trained)."""
        every = list(self.module.parameters())
        return sum(p.numel() for p in every), sum(p.numel() for p in every if p.requires_grad)

    def outcome(self, metrics: dict[str, Any], flops: float) -> Outcome:
        """What the stage came to, once its model stands in its folder and the block is left."""
        seconds = time.monotonic() - self.context.began - self._here_seconds + self._trained_seconds
        parameters, trained = self.parameters
        cost = Cost(
            seconds=seconds,
            tokens=self.tokens,
            flops=flops,
            peak_memory_bytes=self._memory.bytes,
            parameters=parameters,
            trained_parameters=trained,
            disk_bytes=disk_bytes(self.context.output / "model"),
            inference_texts_per_second=self._speed(),
        )
        return Outcome(metrics, cost, tuple(self.notes), self._log)


class EncoderTrainer(Trainer):
    """The same for a transformer: packed, its lowest layers run once where they are frozen."""

    def __init__(
        self, context: Context, parent: ModelFolder, packed: Packed, pace: EncoderPace, micro: int, kept: Precision, layer_decay: float
    ) -> None:
        """As `of` makes it."""
        parts, model = divided(packed, getattr(torch, kept)), packed.model

        def groups(pace: Pace) -> list[Group]:
            known = {id(parameter) for parameter in model.parameters()}
            # Of a second head, where there is one: it learns as fast as the first.
            more = [each for each in self.module.parameters() if each.requires_grad and id(each) not in known]
            return [*decayed(model, pace.weight_decay, layer_decay), *(in_two(more, pace.weight_decay) if more else ())]

        super().__init__(context, packed if parts is None else parts, micro, pace, groups, type(model).__name__)
        self.model = model
        self.length = sequence_length(pace.max_length, parent)
        if packed.execution != "packed":
            self.notes.append(packed.reason)
        if is_adapted(model):
            every, learned = self.parameters
            self.notes.append(
                f"{learned:,} of {every:,} weights were trained, {100 * learned / every:.2g} %: adapters, and a fresh head if any"
            )
        if in_four_bits(model):
            self.notes.append(
                "scores are those of adapters beside weights in four bits; what comes out are the base's own weights with the adapters, "
                "whose answers can be others"
            )
        self._parent = parent
        self.packed = packed
        # What is frozen runs once over each text, and what is trained starts from there.
        self._frozen = None if parts is None else FrozenLayers(parts, parent, kept, micro, context, self.notes)

    @classmethod
    def of(
        cls,
        context: Context,
        parent: ModelFolder,
        model: "PreTrainedModel",
        pace: EncoderPace,
        *,
        masked_share: float = 0.0,
        kept: Precision = "float32",
        layer_decay: float = 1.0,
    ) -> Self:
        """The trainer of `model`, whose frozen parameters are frozen already, on the devices of this run.

        `masked_share`: of the tokens, for which a whole vocabulary is asked for; `kept`: the precision of what frozen layers give;
        `layer_decay`: how much slower each layer learns than the one above it.

        Raises:
            SettingsError: it has too few positions, or cannot compute its activations again.
        """
        if pace.gradient_checkpointing:
            checkpoint_activations(model)
        packed = Packed(model, context.runtime.fast).to(context.runtime.devices.device)
        _say_attention(context, packed)
        return cls(context, parent, packed, pace, forward_tokens(context, model, masked_share), kept, layer_decay)

    def read(self, split: Split, stride: int | None = None, asked: Asked | None = None) -> Sequences:
        """The texts of a split in the model's vocabulary, with what frozen layers give for them.

        They are whole, in windows that overlap by `stride` tokens, or cut to one window where that is None; where the model is `asked` for
        the words of labels, they stand in its template.
        """
        if asked is None:
            texts = split_sequences(self.context, self._parent, split, self.length, stride)
        else:
            stores = [stored(self.context, self._parent, column) for column in asked.tokens.pattern.led(split.inputs)]
            texts = cloze_sequences(stores, asked.tokens.pattern, self.length)
        return texts if self._frozen is None else self._frozen.read(texts, split.text_fingerprint, len(split.inputs))

    def outputs(self, texts: Sequences, head: Head) -> NDArray[np.float64]:
        """As of any network; how fast it is, whole."""
        found = super().outputs(texts, head)
        if texts.hidden is not None:  # then they did not go through the whole model
            whole = replace(texts.answering(), hidden=None)
            self._speed = lambda: inference_speed(self.packed, whole, self.micro, self.devices)
        return found

    def goes_on_from(self, folder: ModelFolder) -> None:
        """Save over what this folder carries, which is the parent's but for what was learned beside the model."""
        self._parent = folder

    def save(self, **facts: Any) -> None:
        """Write the model, over everything that its parent carries, or its adapters; `facts` as `save_model` takes them."""
        if self.devices.is_main:
            output = self.context.output / "model"
            if is_adapted(self.model):
                save_adapter(output, self._parent, self.model, self.context.title, **facts)
            else:
                save_model(output, self._parent, self.model, **facts)

    @property
    def parameters(self) -> tuple[int, int]:
        """(all, those that are trained)."""
        every = list(self.model.parameters())
        return sum(map(numbers_in, every)), sum(p.numel() for p in every if p.requires_grad)

    def flops(self, mean_length: float, masked_share: float = 0.0, frozen_tokens: int | None = None) -> float:
        """Operations of all that was trained; the vocabulary product is counted where it is computed, at masked positions."""
        size = dimensions_of(self.model.config.to_dict())
        embeddings = sum(p.numel() for p in self.model.get_input_embeddings().parameters())
        parameters, trained = self.parameters
        share = trained / parameters
        if is_adapted(self.model):  # gradients go through all that is frozen: of two products going back, one is left out there
            share = (1 + share) / 2
        return training_flops(
            parameters=parameters - embeddings,
            tokens=self.tokens,
            width=size.layers * size.width,
            length=mean_length,
            head_parameters=embeddings if masked_share else 0,
            head_share=masked_share,
            trained_share=share,
            frozen_tokens=frozen_tokens,
        )


def _say_attention(context: Context, packed: Packed) -> None:
    """What computes attention on a GPU, and why nothing faster does; on a CPU there is one way."""
    devices = context.runtime.devices
    with devices.autocast():
        found = packed.train().attention
    if found is not None and devices.device.type != "cpu":
        context.runtime.reporter.say(f"{context.title}: attention by {found.name}" + (f" ({found.reason})" if found.reason else ""))


def stored(context: Context, parent: ModelFolder, texts: Sequence[str]) -> TokenStore:
    """Texts in the vocabulary of a model, from the cache where they are there already."""
    return context.tokens(Corpus.of_texts("labelled", texts, text_digest(texts)), parent)


def split_sequences(context: Context, parent: ModelFolder, split: Split, length: int, stride: int | None) -> Sequences:
    """The items of a split as a model reads them: whole, in windows that overlap by `stride` tokens, or cut to one where that is None."""
    stores, tokenizer = [stored(context, parent, column) for column in split.inputs], parent.tokenizer()
    if stride is None:
        return sequences_of(stores, tokenizer, length)
    if split.words is None:
        return text_windows(stores[0], tokenizer, length, stride)
    return word_sequences(stores[0], tokenizer, split.inputs[0], split.words, length, stride, parent.by_last_piece)


def forward_tokens(context: Context, model: "PreTrainedModel", masked_share: float) -> int:
    """Tokens of the largest forward pass: what the user said, or what memory allows; a resume repeats the size it began with."""
    runtime = context.runtime
    if runtime.micro_tokens is not None:
        return runtime.micro_tokens
    device = runtime.devices.device
    trained = 4 * sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    trained //= runtime.devices.world if runtime.devices.shards else 1

    def estimated() -> float:
        return micro_tokens(model.config.to_dict(), free_bytes(device) // runtime.sharing, device.type, trained, masked_share)

    return int(remembered(context.work / "micro.json", estimated, runtime.devices))


def own_forward_tokens(context: Context, model: "PreTrainedModel") -> int:
    """The same of a model that nobody trains, in a process that computes what its peers wait for: none of them is asked, as above."""
    runtime = context.runtime
    device = runtime.devices.device
    return runtime.micro_tokens or micro_tokens(model.config.to_dict(), free_bytes(device) // runtime.sharing, device.type, 0)
