"""The vectors of packed runs are those of plain transformers with pooling, and those of sentence-transformers from the same folder."""

import json

import numpy as np
import pytest
import torch
from tests.modeling.conftest import build_tiny, make_base
from transformers import AutoModel

from acclimate.errors import ModelError
from acclimate.evaluation.text_vectors import text_vectors
from acclimate.files import write_json
from acclimate.modeling.embedder import cut, load_embedder, save_embedder
from acclimate.modeling.embedding_form import EMBEDDING, EmbeddingForm
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.heads import load_mlm
from acclimate.modeling.imported_base import import_base
from acclimate.training.devices import Devices

TEXTS = ["w1 w2 w3", "w4", "", "w5 w6 w7 w8 w9 w10 w11 w12 w13 w14 w15 w16", "w2 w2 w40"]
FORMS = {
    "mean": EmbeddingForm(),
    "cls": EmbeddingForm(pooling="cls", normalize=False, max_length=8),
    "max": EmbeddingForm(pooling="max", prompts={"query": "w30 w31 ", "document": "w32 "}),
    "dense": EmbeddingForm(dense=8, activation="tanh", dimensions=(4, 8)),
    "same width": EmbeddingForm(dense=16, normalize=False),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Tiny bases of three architectures, as they were imported."""
    found = {}
    for name in ("bert", "roberta", "modernbert"):
        place = tmp_path_factory.mktemp(name)
        source = make_base(place / "base", build_tiny(name, "mlm"))
        write_json(place / "base" / "tokenizer_config.json", {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "[PAD]"})
        found[name] = import_base(source, place / "model")
    return found


@pytest.fixture
def folder(folders):
    return folders["bert"]


def vectors(folder, side=None, texts=TEXTS, micro=20):
    return text_vectors(load_embedder(folder), folder.tokenizer(), texts, micro, Devices("float32"), side)


def saved(folder, form, output, seed=1):
    return save_embedder(output, folder, load_embedder(folder, form, seed=seed))


def plainly(model, folder, form, text):
    """The vector of one text by plain transformers."""
    length, ids = form.max_length or 48, folder.tokenizer().encode(text).ids
    ids = ids if len(ids) <= length else [*ids[: length - 1], ids[-1]]
    with torch.no_grad():
        states = model(input_ids=torch.tensor([ids])).last_hidden_state[0]
        vector = {"mean": states.mean(0), "cls": states[0], "max": states.max(0).values}[form.pooling]
        return (torch.nn.functional.normalize(vector, dim=0) if form.normalize else vector).numpy()


@pytest.mark.parametrize(("architecture", "name"), [("bert", "mean"), ("roberta", "cls"), ("modernbert", "max")])
def test_packed_vectors_are_those_of_plain_transformers_with_pooling(folders, architecture, name, tmp_path):
    output = saved(folders[architecture], FORMS[name], tmp_path / "out")
    model = AutoModel.from_pretrained(output.path).eval()
    np.testing.assert_allclose(vectors(output).vectors, [plainly(model, output, FORMS[name], text) for text in TEXTS], atol=1e-5)


@pytest.mark.parametrize(
    ("architecture", "name"), [("bert", "max"), ("bert", "dense"), ("roberta", "mean"), ("modernbert", "cls"), ("modernbert", "dense")]
)
def test_a_saved_folder_gives_the_same_vectors_in_sentence_transformers(folders, architecture, name, tmp_path):
    from sentence_transformers import SentenceTransformer

    form = FORMS[name]
    output = saved(folders[architecture], form, tmp_path / "out")
    theirs = SentenceTransformer(str(output.path), device="cpu")
    ours = {side: vectors(output, side).vectors for side in (None, "query", "document")}
    for side, encode in ((None, theirs.encode), ("query", theirs.encode_query), ("document", theirs.encode_document)):
        np.testing.assert_allclose(ours[side], encode(TEXTS), atol=1e-5)
    assert (name == "max") == (not np.allclose(ours["query"], ours["document"]))
    for dimensions in form.dimensions:
        np.testing.assert_allclose(
            cut(torch.tensor(ours[None]), dimensions, form.normalize),
            theirs.encode(TEXTS, truncate_dim=dimensions, normalize_embeddings=form.normalize),
            atol=1e-5,
        )
    assert theirs.max_seq_length == load_embedder(output).length


def test_a_dense_layer_as_wide_as_the_states_begins_with_the_vectors_of_the_encoder(folder):
    embedder = load_embedder(folder, FORMS["same width"])
    plain = load_embedder(folder, EmbeddingForm(normalize=False))
    found = [text_vectors(each, folder.tokenizer(), TEXTS, 50, Devices("float32")).vectors for each in (embedder, plain)]
    np.testing.assert_allclose(*found, atol=1e-6)


def test_what_is_not_read_of_texts_is_counted_with_their_prompt(folder, tmp_path):
    form = EmbeddingForm(max_length=5, prompts={"query": "w30 "})
    output = saved(folder, form, tmp_path / "out")
    assert vectors(output)[1:] == (1, 9, 19)
    assert vectors(output, "query")[1:] == (3, 12, 24)
    told = []
    text_vectors(load_embedder(output), output.tokenizer(), TEXTS, 8, Devices("float32"), told=lambda *counts: told.append(counts))
    assert told[-1][0] == told[-1][1] == sum(min(5, len(text.split()) + 2) for text in TEXTS)
    assert vectors(output, texts=[]).vectors.shape == (0, 16)


def test_pretraining_after_it_keeps_the_form_the_dense_layer_and_what_sentence_transformers_reads(folder, tmp_path):
    from acclimate.modeling.folder import save_model

    embedding = saved(folder, FORMS["dense"], tmp_path / "embedding")
    after = save_model(tmp_path / "after", embedding, load_mlm(embedding, 0)[0])
    assert EmbeddingForm.of(after.config) == FORMS["dense"]
    np.testing.assert_array_equal(vectors(after).vectors, vectors(embedding).vectors)
    assert (after.path / "2_Dense" / "model.safetensors").read_bytes() == (embedding.path / "2_Dense" / "model.safetensors").read_bytes()
    assert "mlm" in after.parts


@pytest.mark.parametrize(
    ("changed", "told"), [({"pooling": "sum"}, "acclimate_embedding.pooling"), ({"dense": 9}, "not among the weights")]
)
def test_a_folder_whose_form_cannot_be_read_is_refused(folder, tmp_path, changed, told):
    output = saved(folder, EmbeddingForm(), tmp_path / "out")
    config = json.loads((output.path / "config.json").read_text())
    config[EMBEDDING] |= changed
    write_json(output.path / "config.json", config)
    with pytest.raises(ModelError, match=told):
        load_embedder(ModelFolder(output.path))
