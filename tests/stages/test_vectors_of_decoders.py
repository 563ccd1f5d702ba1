"""Vectors of texts by decoders: trained, distilled and judged as those of encoders, and the same in sentence-transformers."""

import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from tests.modeling.conftest import DECODERS, build_tiny, make_base, make_batch
from tests.modeling.padded import LENGTHS
from tests.stages.test_every_stage import context
from tests.stages.test_finetune_decoders import a_world
from tests.study.conftest import write_jsonl
from torch.nn.utils.rnn import pad_sequence

from acclimate.errors import SettingsError
from acclimate.evaluation.encoder import encoding_of, load_encoder
from acclimate.evaluation.text_vectors import text_vectors
from acclimate.export.subject import Subject
from acclimate.modeling.embedder import Embedder, load_embedder
from acclimate.modeling.embedding_form import EmbeddingForm
from acclimate.modeling.execution import Packed
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.imported_base import import_base
from acclimate.modeling.tensors import to_tensors
from acclimate.stages import STAGES
from acclimate.stages.distill_vectors import DistillVectors
from acclimate.stages.embed import Embed
from acclimate.stages.finetune import Finetune
from acclimate.stages.planned import Sizes
from acclimate.tasks.opened import Data, DataSettings
from acclimate.training.devices import Devices

(VECTORS,) = (stage for stage in STAGES if stage.word() == "vectors")


def plainly(model, pooling, rows, mask):
    """[B, D] of padded rows, by transformers and torch."""
    states = model(input_ids=rows, attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0)).last_hidden_state
    if pooling == "last":
        found = torch.stack([row[real.bool()][-1] for row, real in zip(states, mask, strict=True)])
    else:
        found = (states * mask[:, :, None]).sum(1) / mask.sum(1, keepdim=True)
    return torch.nn.functional.normalize(found)


@pytest.mark.measured(1)
@pytest.mark.parametrize("name", DECODERS)
def test_packed_vectors_and_every_gradient_are_those_of_padded_batches_of_transformers(name):
    batch = make_batch(LENGTHS, False)
    ids = [torch.from_numpy(each) for each in np.split(batch.input_ids, batch.offsets[1:-1])]
    for pooling, side in (("last", "left"), ("mean", "right")):
        model, plain = (build_tiny(name, "base").eval() for _ in range(2))
        plain.set_attn_implementation("eager")
        found = Embedder(Packed(model), EmbeddingForm(pooling=pooling), None, 48)(to_tensors(batch, "cpu"))
        mask = pad_sequence([torch.ones_like(row) for row in ids], True, 0, side)
        wanted = plainly(plain, pooling, pad_sequence(ids, True, 0, side), mask)
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)
        weights = torch.linspace(-1, 1, wanted.numel()).view_as(wanted)
        for vectors in (found, wanted):
            (vectors * weights).sum().backward()
        gradients = dict(plain.named_parameters())
        scale = max(float(each.grad.abs().max()) for each in gradients.values())
        for key, parameter in model.named_parameters():
            assert (parameter.grad - gradients[key].grad).abs().max() <= 2e-5 * scale, key


def vectors(folder, texts):
    return text_vectors(load_embedder(folder), folder.tokenizer(), texts, 100, Devices("float32")).vectors


@pytest.mark.measured(0)
@pytest.mark.parametrize(("name", "pooling"), [("gpt2", None), ("qwen3", "mean")])
def test_what_labels_teach_is_the_same_in_sentence_transformers_and_a_head_stands_on_it(name, pooling, tmp_path):
    from sentence_transformers import SentenceTransformer

    world = a_world(tmp_path, name, "classify")  # GPT-2 has no token for padding, and none around texts
    task, given = world.data.task, Sizes.of(world.source)
    embed = Embed(lr=1e-2, epochs=1, min_steps=24, batch_size=24, evaluations=1, pooling=pooling, max_length=8)
    after = embed.check(given, task)
    form = EmbeddingForm(pooling=pooling or "last", max_length=8, trained=True)
    assert EmbeddingForm.of(after.config) == form
    here = context(world, tmp_path / "embedded")
    outcome = embed.run(world.parent, here)
    assert outcome.metrics["dev_macro_f1"] > outcome.metrics["dev_macro_f1_before"]
    folder = ModelFolder(here.output / "model")
    assert EmbeddingForm.of(folder.config) == form
    assert folder.parts == world.parent.parts == {"encoder", "mlm"}
    texts = list(task.test.inputs[0])
    ours = vectors(folder, texts)
    np.testing.assert_allclose(ours, SentenceTransformer(str(folder.path), device="cpu").encode(texts), atol=1e-5)
    np.testing.assert_allclose(ours, load_encoder(folder.path).encode(texts), atol=1e-6)
    head = Finetune(train="head", lr=1e-1, epochs=6, min_steps=0, batch_size=16)
    head.check(after, task)
    there = context(world, tmp_path / "head")
    learned = head.run(folder, there)
    assert learned.metrics["head"] == "vector"
    assert learned.metrics["test_accuracy"] > 0.8
    assert Subject.of(str(folder.path)).way == "vectors"


def alike(folder, world):
    """The world with another task: how much two texts have in common."""
    rng, task = random.Random(1), {"kind": "similarity"}
    for split in ("train", "dev", "test"):
        pairs = [rng.choices(range(2, 50), k=2) for _ in range(24)]
        rows = [{"text": f"{split} w{a} w{a}", "text_b": f"{split} w{b} w{b}", "score": 5 * (abs(a - b) < 12)} for a, b in pairs]
        write_jsonl(folder / f"pairs-{split}.jsonl", rows)
        task[split] = str(folder / f"pairs-{split}.jsonl")
    write_jsonl(folder / "domain.jsonl", [{"text": " ".join(f"w{n}" for n in rng.choices(range(50), k=5))} for _ in range(60)])
    settings = {"task": task | {"duplicates": "keep"}, "domain": str(folder / "domain.jsonl")}
    return replace(world, data=Data.open(DataSettings.model_validate(settings), folder, folder / "rejects"))


@pytest.mark.parametrize("reverse", [False, True])
def test_decoders_teach_vectors_and_learn_them_and_answer_pairs_by_their_cosines(reverse, tmp_path):
    world = alike(tmp_path, a_world(tmp_path, "gpt2", "classify"))
    other = make_base(tmp_path / "bert", build_tiny("bert", "mlm"))
    student, teacher = (other, world.source) if reverse else (world.source, other)
    folders = {"teacher": import_base(other, tmp_path / "other"), "student": world.parent}
    folders = dict(zip(folders, reversed(folders.values()), strict=True)) if reverse else folders
    stage = DistillVectors(teacher="teacher", lr=5e-3, epochs=1, min_steps=30, batch_size=16, evaluations=2, max_length=16)
    after = stage.check(replace(Sizes.of(student), beside={"teacher": Sizes.of(teacher)}), world.data.task)
    assert EmbeddingForm.of(after.config).pooling == ("mean" if reverse else "last")
    here = context(replace(world, parent=folders["student"], teacher=folders["teacher"]), tmp_path / "distilled")
    metrics = stage.run(folders["student"], here).metrics
    assert metrics["heldout_loss_after"] < 0.9 * metrics["heldout_loss_before"]
    folder = ModelFolder(here.output / "model")
    there = context(world, tmp_path / "judged")
    VECTORS().check(after, world.data.task)
    scores = VECTORS().run(folder, there).metrics
    one, two = (vectors(folder, list(column)) for column in world.data.task.test.inputs)
    gold = np.asarray(world.data.task.test.gold)
    assert scores["test_spearman"] == pytest.approx(spearmanr((one * two).sum(1), gold).statistic, abs=1e-6)


def test_the_first_state_of_a_decoder_is_refused_before_any_work(tmp_path):
    source = make_base(tmp_path / "base", build_tiny("llama", "mlm"))
    given = Sizes.of(source)
    teacher = replace(given, beside={"teacher": given})
    for stage in (Embed(pooling="cls"), DistillVectors(teacher="teacher", pooling="cls"), VECTORS(pooling="cls")):
        with pytest.raises(SettingsError, match="pooling: cls: llama is a decoder, whose first token sees nothing of a text"):
            stage.check(teacher, None)
    with pytest.raises(SettingsError, match="pooling: cls"):
        load_encoder(source.folder, pooling="cls")
    assert any("the last state of each text" in note for note in encoding_of(source.folder).told())
