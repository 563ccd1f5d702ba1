"""Tiny random models with a vocabulary of pairs, exported once for all tests of a process."""

import json
from pathlib import Path

import pytest
from tests.modeling.conftest import build_tiny, make_base
from tokenizers import Tokenizer, processors

from acclimate.evaluation.trained_folder import model_config
from acclimate.export import timing
from acclimate.export.export_model import export_model
from acclimate.modeling.embedder import load_embedder, save_embedder
from acclimate.modeling.embedding_form import EmbeddingForm
from acclimate.modeling.folder import save_model
from acclimate.modeling.head_settings import HeadSettings
from acclimate.modeling.heads import load_classifier, load_tagger
from acclimate.modeling.imported_base import import_base

LABELS = ("a", "b", "c")
TAGS = ("O", "B-x", "I-x")
TEXTS = ["w1 w2 w3", "w4", "", " ".join(f"w{number % 50}" for number in range(40)), "w7 w8. w9 unknown", "w1 w1 w1 w2 w3 w4 w5 w6 w7 w8"]


@pytest.fixture(autouse=True)
def forms_are_timed_once(monkeypatch):
    monkeypatch.setattr(timing, "ROUNDS", 1)


def base_of(folder: Path, family: str = "bert", **changes):
    source = make_base(folder / "download", build_tiny(family, "mlm", **changes))
    tokenizer = Tokenizer.from_file(str(folder / "download" / "tokenizer.json"))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "download" / "tokenizer.json"))
    return import_base(source, folder / "base")


def say_in_config(folder: Path, **values) -> None:
    (folder / "config.json").write_text(json.dumps(model_config(folder) | values))


def deep_classifier(folder: Path, **changes) -> Path:
    """Reads long texts in windows, with a head of two layers and thresholds."""
    base = base_of(folder, num_hidden_layers=1)
    model = load_classifier(base, LABELS, HeadSettings(layers=2, hidden=8), 0, None)
    save_model(folder / "model", base, model, 12, 3, "mean")
    say_in_config(folder / "model", acclimate_thresholds=[0.2, 0.5, 0.9], **changes)
    return folder / "model"


def tagger(folder: Path) -> Path:
    base = base_of(folder, num_hidden_layers=1)
    save_model(folder / "model", base, load_tagger(base, TAGS, HeadSettings(), 0, None), 12, 3)
    say_in_config(folder / "model", acclimate_kind="tag")
    return folder / "model"


def pair_classifier(folder: Path) -> Path:
    base = base_of(folder, num_hidden_layers=1)
    save_model(folder / "model", base, load_classifier(base, LABELS, HeadSettings(), 0, None), 12)
    say_in_config(folder / "model", acclimate_kind="pair")
    return folder / "model"


def encoder(folder: Path) -> Path:
    """Its vectors go through a dense layer, behind a prompt."""
    base = base_of(folder, num_hidden_layers=1)
    form = EmbeddingForm(pooling="max", dense=8, activation="tanh", prompts={"query": "w5 "}, max_length=12)
    save_embedder(folder / "model", base, load_embedder(base, form))
    return folder / "model"


MADE = {"classify": deep_classifier, "tag": tagger, "pair": pair_classifier, "vectors": encoder}


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A function from a kind to the folder of a model that answers it and that of its export, both made at the first call."""
    made: dict[str, tuple[Path, Path]] = {}

    def of(kind: str) -> tuple[Path, Path]:
        if kind not in made:
            place = tmp_path_factory.mktemp(kind)
            model = MADE[kind](place)
            export_model(str(model), place / "out", kind == "classify", None, {}, lambda line: None)
            made[kind] = (model, place / "out")
        return made[kind]

    return of
