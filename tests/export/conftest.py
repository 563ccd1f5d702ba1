"""Tiny random models with a vocabulary of pairs, exported once for all tests of a process."""

import json
import os
from functools import cache
from pathlib import Path

import pytest
from tests.modeling.conftest import DECODERS, build_tiny, make_base
from tokenizers import Tokenizer, processors

from acclimate.evaluation.trained_folder import model_config
from acclimate.export import timing, to_onnx
from acclimate.export.export_model import export_model
from acclimate.files import locked
from acclimate.modeling.embedder import load_embedder, save_embedder
from acclimate.modeling.embedding_form import EmbeddingForm
from acclimate.modeling.folder import save_model
from acclimate.modeling.head_settings import HeadSettings
from acclimate.modeling.heads import load_classifier, load_mlm, load_tagger
from acclimate.modeling.imported_base import import_base
from acclimate.modeling.label_words import Cloze

LABELS = ("a", "b", "c")
TAGS = ("O", "B-x", "I-x")
TEXTS = ["w1 w2 w3", "w4", "", " ".join(f"w{number % 50}" for number in range(40)), "w7 w8. w9 unknown", "w1 w1 w1 w2 w3 w4 w5 w6 w7 w8"]


@pytest.fixture(autouse=True)
def forms_are_timed_once(monkeypatch):
    monkeypatch.setattr(timing, "ROUNDS", 1)


def base_of(folder: Path, family: str = "bert", framed: bool = True, **changes):
    """Where it is not `framed`, nothing stands around texts."""
    source = make_base(folder / "download", build_tiny(family, "mlm", **changes))
    tokenizer = Tokenizer.from_file(str(folder / "download" / "tokenizer.json"))
    single, pair = ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1") if framed else ("$A", "$A $B:1")
    tokenizer.post_processor = processors.TemplateProcessing(single=single, pair=pair, special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    tokenizer.save(str(folder / "download" / "tokenizer.json"))
    return import_base(source, folder / "base")


def say_in_config(folder: Path, **values) -> None:
    (folder / "config.json").write_text(json.dumps(model_config(folder) | values))


def deep_classifier(folder: Path, family: str = "bert") -> Path:
    """Reads long texts in windows, with a head of two layers and thresholds."""
    base = base_of(folder, family, num_hidden_layers=1)
    model = load_classifier(base, LABELS, HeadSettings(layers=2, hidden=8), 0, None)
    save_model(folder / "model", base, model, 12, 3, "mean")
    say_in_config(folder / "model", acclimate_thresholds=[0.2, 0.5, 0.9])
    return folder / "model"


def tagger(folder: Path, family: str) -> Path:
    """Nothing stands around the texts of a decoder."""
    base = base_of(folder, family, framed=family not in DECODERS, num_hidden_layers=1)
    save_model(folder / "model", base, load_tagger(base, TAGS, HeadSettings(), 0, None), 12, 3)
    say_in_config(folder / "model", acclimate_kind="tag")
    return folder / "model"


def pair_classifier(folder: Path, family: str = "bert") -> Path:
    base = base_of(folder, family, num_hidden_layers=1)
    save_model(folder / "model", base, load_classifier(base, LABELS, HeadSettings(), 0, None), 12)
    say_in_config(folder / "model", acclimate_kind="pair")
    return folder / "model"


def encoder(folder: Path, family: str) -> Path:
    """Its vectors go through a dense layer, behind a prompt."""
    base = base_of(folder, family, num_hidden_layers=1)
    form = EmbeddingForm(pooling="max", dense=8, activation="tanh", prompts={"query": "w5 "}, max_length=12)
    save_embedder(folder / "model", base, load_embedder(base, form))
    return folder / "model"


def last_token_classifier(folder: Path, family: str) -> Path:
    """Nothing stands around its texts, and what fills a batch is a token that texts have, too."""
    base = base_of(folder, family, framed=False, n_layer=1, pad_token_id=7)
    save_model(folder / "model", base, load_classifier(base, LABELS, HeadSettings(layers=2, hidden=8), 0, None), 12)
    return folder / "model"


def asked_at_a_mask(folder: Path, family: str) -> Path:
    """Pairs in a template; a label has two words, another one of two pieces."""
    base = base_of(folder, family, num_hidden_layers=1)
    cloze = Cloze(LABELS, "{text} w30 {mask} w31 {text_b}", {"a": ("w1", "w9"), "b": ("w2 w3",), "c": ("w4",)}, 2)
    save_model(folder / "model", base, load_mlm(base, 0)[0], 14, asked=cloze.written(cloze.tokens(base.tokenizer())))
    say_in_config(folder / "model", acclimate_kind="pair")
    return folder / "model"


MADE = {
    "classify": ("bert", deep_classifier),
    "tag": ("roberta", tagger),
    "pair": ("camembert", pair_classifier),
    "vectors": ("xlm-roberta", encoder),
    "pair, words": ("electra", asked_at_a_mask),
    "classify, decoder": ("gpt2", last_token_classifier),
    "tag, decoder": ("llama", tagger),
}
"""Of each kind the family, which no other has, and who makes it."""
BESIDE = "classify, decoder"
"""Its weights stand beside the graph, as those of large models do."""


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """A function from a kind to the folder of a model that answers it and that of its export; pytest-xdist's processes share them."""
    own = tmp_path_factory.getbasetemp()
    root = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "exported"
    root.mkdir(exist_ok=True)

    @cache
    def of(kind: str) -> tuple[Path, Path]:
        place, (family, make) = root / kind, MADE[kind]
        with locked(root / f"{kind}.lock"):
            if not (place / "out").is_dir():
                with pytest.MonkeyPatch.context() as patch:
                    patch.setattr(to_onnx, "LARGEST", 0 if kind == BESIDE else to_onnx.LARGEST)
                    int8 = kind in ("classify", BESIDE)
                    export_model(str(make(place, family)), place / "out", int8, None, {}, lambda line: None)
        return place / "model", place / "out"

    return of
