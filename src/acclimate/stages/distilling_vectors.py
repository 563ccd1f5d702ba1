"""The training of a distillation of vectors: the teacher is asked, the student learns, held-out texts say which of its weights are kept."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from acclimate.data.batches import CountOrder
from acclimate.data.unknown import unknown_words
from acclimate.evaluation.kept_vectors import computed
from acclimate.evaluation.text_vectors import sequence_vectors
from acclimate.modeling.embedder import load_embedder, save_embedder
from acclimate.modeling.embedding_form import EmbeddingForm
from acclimate.modeling.execution import checkpoint_activations
from acclimate.modeling.families import dimensions_of
from acclimate.modeling.longest import sequence_length
from acclimate.objectives.near_vectors import NearVectors, WantedVectors, mean_distance
from acclimate.randomness import generator
from acclimate.stages.base import Context, Outcome
from acclimate.stages.long_texts import told_of_cut
from acclimate.stages.pace import Course
from acclimate.stages.teacher import in_a_row
from acclimate.stages.transfer_text import Items, TransferText
from acclimate.stages.vector_cache import vector_cache
from acclimate.stages.vector_trainer import VectorTrainer
from acclimate.stages.watched import watched
from acclimate.training.memory import free_bytes, micro_tokens

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder
    from acclimate.stages.distill_vectors import DistillVectors


def distilled_vectors(stage: "DistillVectors", parent: "ModelFolder", context: Context) -> Outcome:
    """The student's sentence encoder, trained by its teacher, in `context.output`.

    Raises:
        DataError: there are too few texts.
        Interrupted: a stop was asked for.
    """
    text = TransferText.of(stage.corpus, stage.texts, "sequence", context, apart=True)
    folder = context.beside[stage.teacher]
    theirs = EmbeddingForm.of(folder.config)
    said = in_a_row([teacher_vectors(part, folder, theirs, context) for part in text.parts])
    form = stage.made_form(EmbeddingForm.of(parent.config), dimensions_of(parent.config).width, theirs, said.shape[1])
    embedder = load_embedder(parent, form, stage.dropout, context.seed, context.runtime.fast)
    if stage.gradient_checkpointing:
        checkpoint_activations(embedder.encoder.model)
    # The same texts are held out of every run, so that their distances can be compared.
    held = np.sort(generator("held-out texts").permutation(len(said))[: stage.held_out(len(said))])
    stage.refuse_few(len(said))  # of a selection it is known now how many there are
    rows = text.read[~np.isin(text.read, held)]
    with VectorTrainer(context, parent, embedder, stage) as trainer:
        texts = text.whole.read(context, parent, trainer.length, None)
        trainer.notes += told_of_cut({"all texts": texts.cut_tokens / max(1, texts.tokens)}, "texts", f"{trainer.length:,} tokens")
        if told := unknown_words({"the texts": texts.unknown_share}):
            trainer.notes.append(told)
        wanted = WantedVectors.of(said, embedder.width, theirs.normalize, np.setdiff1d(np.arange(len(said)), held))
        if wanted.components_FE is not None:
            trainer.notes.append(
                f"the teacher's vectors have {said.shape[1]} numbers, and the student's {embedder.width}: they are compared along as many "
                f"principal components, which hold {100 * wanted.kept:.1f} % of their variance"
            )
        order = CountOrder(len(rows), stage.batch_size, context.seed)
        objective = NearVectors(texts, wanted, rows, order)
        goal = wanted.rows(held)

        def judge(module: nn.Module) -> dict[str, float]:
            module.eval()
            found = sequence_vectors(trainer.network, texts, trainer.micro, trainer.devices, rows=held)
            loss = mean_distance(found, goal)
            return {"heldout_loss": loss, "score": -loss}

        before = trainer.remember("before", lambda: judge(trainer.module)["heldout_loss"])
        steps = stage.steps(order.batches_per_epoch)
        trainer.notes += stage.told_of_least(order.batches_per_epoch)
        result = trainer.fit(objective, judge, Course(steps, math.ceil(steps / stage.evaluations), stage.patience))
        trainer.time(texts)
        if trainer.devices.is_main:
            save_embedder(context.output / "model", parent, embedder)
    metrics: dict[str, Any] = {
        "heldout_loss_before": before,
        "heldout_loss_after": result.best.get("heldout_loss"),
        "heldout_texts": len(held),
        "transfer_items": len(rows),
        "dimensions": embedder.width,
        "teacher_dimensions": said.shape[1],
        "variance_kept": wanted.kept,
        **result.measured(),
        "epochs": round(result.steps / order.batches_per_epoch, 3),
        "micro_tokens": trainer.micro,
        "cut_tokens": texts.cut_tokens,
        "unknown_share": texts.unknown_share,
    }
    return trainer.outcome(metrics, trainer.flops(float(texts.lengths.mean())))


def teacher_vectors(items: Items, folder: "ModelFolder", form: EmbeddingForm, context: Context) -> NDArray[np.float32]:
    """[N, E] of texts, as the model of a folder makes them and reads them, from the cache where they are there already.

    It is loaded when it is asked something new.

    Raises:
        Interrupted: a stop was asked for; the pass begins anew.
    """
    runtime = context.runtime
    read = items.read(context, folder, sequence_length(form.max_length, folder), None)

    def compute() -> NDArray[np.float32]:
        embedder = load_embedder(folder, form, 0.0, fast=runtime.fast).to(runtime.devices.device)
        # Nothing is to be remembered of it, and nobody to be asked: processes that train along wait until a pass is done.
        free = free_bytes(runtime.devices.device) // runtime.sharing
        micro = runtime.micro_tokens or micro_tokens(embedder.encoder.model.config.to_dict(), free, runtime.devices.device.type, 0)
        found = sequence_vectors(embedder, read, micro, runtime.devices, watched(context, "the teacher's vectors", micro))
        runtime.reporter.close()
        return found

    cache = vector_cache(context, folder, form)
    width = form.width(dimensions_of(folder.config).width)
    return (computed(compute) if cache is None else cache.of(read, width, compute)).vectors
