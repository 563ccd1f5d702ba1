"""Models with their heads for a stage: loaded from a folder, what is missing drawn from the seed, what is not trained frozen."""

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from copy import deepcopy
from typing import Literal

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.initialization import no_init_weights

from acclimate.data.cloze import Pieces
from acclimate.errors import ModelError, SettingsError
from acclimate.modeling.architecture import Kind, kind_of
from acclimate.modeling.families import family_of
from acclimate.modeling.folder import HEAD, ModelFolder
from acclimate.modeling.frozen_half import fill_frozen
from acclimate.modeling.head_settings import HeadSettings
from acclimate.modeling.label_rows import ask_for_labels
from acclimate.modeling.layers import layers_of
from acclimate.modeling.links import PROBLEMS
from acclimate.randomness import seed_of
from acclimate.tasks.kind import Link

INITIALIZED = "_is_hf_initialized"  # transformers' init functions leave tensors with this mark alone


def load_mlm(folder: ModelFolder, seed: int, dropout: float | None = 0.0, frozen: bool = False) -> tuple[PreTrainedModel, bool]:
    """A masked language model, and whether its head is fresh because the folder has none (the decoder is tied to the embeddings then).

    `dropout` replaces every dropout of the architecture; None leaves them. Weights are float32; where what the folder brings is `frozen`,
    matrices stay in half precision that are so on disk (`frozen_half.py`).
    """
    config = _configured(folder, dropout)
    fresh = "mlm" not in folder.parts
    # Of an incomplete head (ModernBERT's classifier shares names with it) nothing is taken.
    left_out = tuple(folder.architecture.mlm_names) if fresh else ()
    model = _build(folder, "mlm", config, frozen)
    _draw(model, _fill(model, folder, "mlm", left_out, frozen), seed)
    return model, fresh


def load_body(folder: ModelFolder, dropout: float | None) -> PreTrainedModel:
    """The encoder alone, without a head and without a pooler, as its own class (AutoModel)."""
    model = _build(folder, "base", _configured(folder, dropout))
    if pooler := family_of(model.config).pooler:
        setattr(model, pooler, None)  # it is made for whole texts, of which nobody asks it here
    prefix = folder.architecture.prefix
    own = {name.removeprefix(prefix): tensor for name, tensor in folder.tensors_on_disk().items() if name.startswith(prefix)}
    if missing := sorted(set(model.state_dict()) - own.keys()):
        raise ModelError(f"{folder.path}: {missing[0]} is missing; the folder is damaged")
    model.load_state_dict({name: own[name] for name in model.state_dict()})
    return model


def load_classifier(
    folder: ModelFolder, labels: Sequence[str], head: HeadSettings, seed: int, dropout: float | None, link: Link = "softmax",
    frozen: bool = False,
) -> PreTrainedModel:  # fmt: skip
    """A classifier with a fresh head for `labels`, in their order; `link`: one of them holds, or each by itself; `frozen` as in `load_mlm`.

    The head, and a pooler that the folder does not carry, depend on the seed and their names alone: two recipes with the same seed start
    from the same ones, whatever was done to the encoder before.
    """
    config = _configured(folder, dropout)
    config.problem_type = PROBLEMS[link]
    return _with_fresh_head("classifier", folder, config, labels, head, seed, frozen)


def load_tagger(
    folder: ModelFolder, labels: Sequence[str], head: HeadSettings, seed: int, dropout: float | None, frozen: bool = False
) -> PreTrainedModel:
    """A model that gives every token one of `labels`, in their order; its head is fresh, and drawn as that of a classifier is."""
    config = _configured(folder, dropout)
    if dropout is not None and family_of(config).decoder:  # they have some before this head alone, of which their config.json says nothing
        config.classifier_dropout = dropout
    return _with_fresh_head("tagger", folder, config, labels, head, seed, frozen)


def load_asked(folder: ModelFolder, words: Pieces, dropout: float | None) -> PreTrainedModel:
    """A masked language model that gives logits of labels, by their words [L] in tokens, at the positions that it is asked about.

    Raises:
        ModelError: the folder has no whole head for masked words.
    """
    if "mlm" not in folder.parts:
        raise ModelError(f"{folder.path}: this model has no whole head for masked words; pretrain it first")
    model, _ = load_mlm(folder, 0, dropout)
    ask_for_labels(model, words)
    return model


def _with_fresh_head(
    kind: Kind, folder: ModelFolder, config: PreTrainedConfig, labels: Sequence[str], head: HeadSettings, seed: int, frozen: bool
) -> PreTrainedModel:
    config.id2label = dict(enumerate(labels))
    config.label2id = {label: number for number, label in enumerate(labels)}
    deep = head if head.layers > 1 else None
    setattr(config, HEAD, deep.model_dump(mode="json") if deep else None)
    model = _build(folder, kind, config, frozen)
    _draw(model, _fill(model, folder, kind, family_of(config).learned_heads, frozen), seed)
    if deep is not None:
        name = _deepen(model, deep)
        _draw(model, [f"{name}.{key}" for key in model.get_submodule(name).state_dict()], seed, own_rules=False)
    return model


def load_trained_classifier(folder: ModelFolder, dropout: float | None = None) -> PreTrainedModel:
    """The folder's own classifier, linear or deep, ready to predict; `dropout` where it goes on learning.

    Raises:
        ModelError: the folder has no classifier, or its weights do not fit its config.json.
    """
    return _trained("classifier", folder, dropout)


def load_trained_tagger(folder: ModelFolder, dropout: float | None = None) -> PreTrainedModel:
    """The same for a folder whose model answers every token."""
    return _trained("tagger", folder, dropout)


def relabelled(model: PreTrainedModel, labels: Sequence[str], rows: Sequence[int], link: Link) -> None:
    """Let a trained classifier, or tagger, give `labels`, each by the row of its last layer that `rows` [L] names."""
    last = model.get_submodule(_last(model))
    linear = last[-1] if isinstance(last, nn.Sequential) else last
    assert isinstance(linear, nn.Linear)
    with torch.no_grad():
        for parameter in linear.parameters():
            parameter.copy_(parameter[list(rows)].clone())
    model.config.id2label = dict(enumerate(labels))
    model.config.label2id = {label: number for number, label in enumerate(labels)}
    if kind_of(model) == "classifier":
        model.config.problem_type = PROBLEMS[link]


def _trained(kind: Kind, folder: ModelFolder, dropout: float | None) -> PreTrainedModel:
    if kind not in folder.parts:
        raise ModelError(f"{folder.path}: this model has no {kind}; fine-tune it first")
    head = HeadSettings.model_validate(folder.head) if folder.head else None
    model = _build(folder, kind, _configured(folder, dropout))
    if head is not None:
        _deepen(model, head)
    try:
        missing = _fill(model, folder, kind, ())
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1].strip()
        raise ModelError(
            f"{folder.path}: the weights do not fit config.json, which names {len(folder.labels)} labels ({reason})"
        ) from error
    if missing:
        raise ModelError(f"{folder.path}: {missing[0]} is missing; the folder is damaged")
    model.train(False)
    return model


def freeze(model: PreTrainedModel, train: Literal["all", "head"] | int) -> None:
    """Leave trainable: `all`, the `head` (whatever is outside the encoder's body, with its pooler), or the top N layers with the head.

    Raises:
        SettingsError: the model has fewer layers, or its layers share their weights.
    """
    if train == "all":
        return
    _head, *layers, rest = _parts(model)
    count = 0 if train == "head" else train
    if family_of(model.config).shares_layers and count:
        raise SettingsError(f"train: the layers of {model.config.model_type} share their weights, so it is `all` or `head`")
    if not 0 <= count <= len(layers):
        raise SettingsError(f"train: {count} layers were asked for, and this model has {len(layers)}")
    for parameters in (*layers[count:], rest):
        for parameter in parameters:
            parameter.requires_grad_(False)


def layer_groups(model: PreTrainedModel) -> list[list[nn.Parameter]]:
    """The parameters from the head down, layer by layer, to the embeddings; each once (a tied decoder counts as embeddings)."""
    return _parts(model)


def _parts(model: PreTrainedModel) -> list[list[nn.Parameter]]:
    base = model.base_model
    layers = [list(layer.parameters()) for layer in reversed(layers_of(base))]
    above = (getattr(base, name, None) for name in family_of(model.config).above)
    top = [module for module in above if module is not None]
    taken = _ids(parameter for layer in layers for parameter in layer)
    at_top = _ids(parameter for module in top for parameter in module.parameters())
    in_base = _ids(base.parameters())
    head = [parameter for parameter in model.parameters() if id(parameter) not in in_base or id(parameter) in at_top]
    rest = [parameter for parameter in base.parameters() if id(parameter) not in taken | at_top]
    return [head, *layers, rest]


def _ids(parameters: Iterable[nn.Parameter]) -> set[int]:
    return {id(parameter) for parameter in parameters}


def _configured(folder: ModelFolder, dropout: float | None) -> PreTrainedConfig:
    config = deepcopy(folder.architecture.config)
    if dropout is not None:
        words = family_of(config).dropout_words
        for name, value in config.to_dict().items():
            if any(word in name for word in words) and isinstance(value, int | float):
                setattr(config, name, dropout)
        # None stands for "as the hidden layers have it", which is set above.
    return config


def _build(folder: ModelFolder, kind: Kind, config: PreTrainedConfig, frozen: bool = False) -> PreTrainedModel:
    # Memory that is only asked for is no memory yet: what nobody draws takes none until it is filled.
    with torch.random.fork_rng(devices=[]), no_init_weights() if frozen else nullcontext():
        return folder.architecture.build(kind, config)


def _fill(model: PreTrainedModel, folder: ModelFolder, kind: Kind, left_out: tuple[str, ...], frozen: bool = False) -> list[str]:
    if frozen:
        return fill_frozen(model, ((name, tensor) for name, tensor in folder.each_for(kind) if not name.startswith(left_out)))
    # Copies into the model's own memory (a mapped file's alignment would change sums in their last bit); the names still to be drawn.
    tensors = {name: tensor for name, tensor in folder.tensors_for(kind).items() if not name.startswith(left_out)}
    found = model.load_state_dict(tensors, strict=False)
    model.tie_weights()
    return sorted(set(found.missing_keys) - model.all_tied_weights_keys.keys())


def _draw(model: PreTrainedModel, names: Sequence[str], seed: int, own_rules: bool = True) -> None:
    # Each tensor from a generator of its own, by the architecture's own rules: what else is missing changes nothing.
    parameters = dict(model.named_parameters(remove_duplicate=False))
    for parameter in parameters.values():
        setattr(parameter, INITIALIZED, True)
    for name in names:
        setattr(parameters[name], INITIALIZED, False)
        path = name.split(".")[:-1]
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of(seed, "init", name))
            # From the innermost module out: where an outer one has rules for this tensor, they are the last word.
            for depth in range(len(path), -1 if own_rules else len(path) - 1, -1):
                model._init_weights(model.get_submodule(".".join(path[:depth])))  # type: ignore[no-untyped-call]
        setattr(parameters[name], INITIALIZED, True)


def _last(model: PreTrainedModel) -> str:
    # The name of the layer that gives the logits; where that is a deeper head, of the whole.
    family = family_of(model.config)
    return family.tagger_linear if kind_of(model) == "tagger" else family.last_linear


def _deepen(model: PreTrainedModel, head: HeadSettings) -> str:
    # Puts a deeper head in the place of the last layer; says its name.
    name = _last(model)
    linear = model.get_submodule(name)
    assert isinstance(linear, nn.Linear)
    width = linear.in_features
    blocks: list[nn.Module] = []
    for _ in range(head.layers - 1):
        hidden = head.hidden or linear.in_features
        blocks += [nn.Linear(width, hidden), nn.GELU(), nn.Dropout(head.dropout)]
        width = hidden
    model.set_submodule(name, nn.Sequential(*blocks, nn.Linear(width, linear.out_features)))
    return name
