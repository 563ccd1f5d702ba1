"""The part of `extend` that trains: the input rows of new entries, so that texts mean what they meant (Token Distillation)."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from acclimate.data.batches import TokenOrder
from acclimate.data.corpus import Corpus
from acclimate.data.ragged import ranges
from acclimate.data.tokens import special_ids
from acclimate.data.vocabularies.larger import Entry
from acclimate.modeling.execution import Packed
from acclimate.modeling.folder import ModelFolder, write_weights
from acclimate.modeling.heads import load_mlm
from acclimate.modeling.longest import sequence_length
from acclimate.objectives.token_distillation import BothWays, DistilledTokens, fitting, pieces_table, snippets
from acclimate.stages.base import Context, Outcome
from acclimate.stages.pace import Course, Pace
from acclimate.stages.trainer import Trainer, forward_tokens
from acclimate.training.loop import Group
from acclimate.training.new_rows import how_far, only_rows_learn

if TYPE_CHECKING:
    from acclimate.stages.extend import Extend


def distil(
    folder: ModelFolder, new: Sequence[Entry], corpora: Sequence[Corpus], stage: "Extend", context: Context, measured: dict[str, Any]
) -> Outcome:
    """Learn the rows of `new` in the model of `folder`, where they begin as the mean of their pieces, and write it as the stage's model."""
    tokenizer = folder.tokenizer()
    store = context.joined(corpora, folder)
    first, ids = new[0].id, [entry.id for entry in new]
    prefix, suffix = special_ids(tokenizer)
    table = pieces_table(new, max(tokenizer.get_vocab(with_added_tokens=True).values()) + 1)
    windows = snippets(store, first, stage.snippets, stage.snippet_tokens, context.seed)
    windows = fitting(store, windows, table, sequence_length(None, folder) - len(prefix) - len(suffix))
    model, _ = load_mlm(folder, context.seed, 0.0)
    packed = Packed(model, context.runtime.fast).to(context.runtime.devices.device)
    name, weight = _input_rows(model)
    pace = Pace(lr=stage.lr, weight_decay=0.0)
    micro = forward_tokens(context, model, 0.0)
    with Trainer(context, BothWays(packed), micro, pace, lambda _: [Group([weight], 1.0, 0.0)], type(model).__name__) as trainer:
        begin = weight.detach()[ids].clone()
        if len(windows):
            order = TokenOrder(windows.length.astype(np.int64) + len(prefix) + len(suffix), stage.batch_tokens, context.seed)
            objective = DistilledTokens(store, windows, order, prefix, suffix, table)
            steps = max(1, round(stage.epochs * order.batches_per_epoch))
            with only_rows_learn(model, [weight], first):
                result = trainer.fit(objective, None, Course(steps, steps))
            measured |= _apart(result.history)
        tokens = store.tokens[ranges(windows.start, windows.length.astype(np.int64))]
        read = len(np.unique(tokens[tokens >= first]))
        if missing := len(new) - read:
            trainer.notes.append(
                f"{missing:,} of {len(new):,} new entries do not occur in the corpus: their rows are the mean of their pieces"
            )
        moved = how_far(begin, weight.detach()[ids])
        if context.runtime.devices.is_main:
            shutil.copytree(folder.path, output := context.output / "model", dirs_exist_ok=True)
            # The rest is as it was: a head for masked words that was made up here would be taken for a trained one.
            tensors = folder.tensors() | {name: weight.detach().cpu().contiguous()}
            write_weights(output, folder.config, tensors, str(folder.config["architectures"][0]))
    measured |= {"snippets": len(windows), **moved, "tokens": trainer.tokens, "micro_tokens": micro}
    # Forward in the old pieces; forward, and backward through all that is frozen, in the new.
    outcome = trainer.outcome(measured, 6.0 * trainer.tokens * (sum(p.numel() for p in model.parameters()) - weight.numel()))
    return replace(outcome, cost=replace(outcome.cost, trained_parameters=begin.numel()))


def _input_rows(model: Any) -> tuple[str, nn.Parameter]:
    weight = model.get_input_embeddings().weight
    return next((name, parameter) for name, parameter in model.named_parameters() if parameter is weight)


def _apart(history: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """How far apart the hidden states were at the first steps, and at the last (mean squared difference)."""
    losses = torch.tensor([point["loss"] for point in history])
    tenth = max(1, len(losses) // 10)
    return {"apart_before": float(losses[:tenth].mean()), "apart_after": float(losses[-tenth:].mean())}
