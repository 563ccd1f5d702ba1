"""What a measurement says of general text is what `kind: perplexity` says of the same documents, and what plain transformers says."""

import math

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from tests.study.conftest import tiny_model
from transformers import BertForMaskedLM

from acclimate.data.masking import GROUPS, dealt
from acclimate.evaluation.evaluate_text import evaluate_text
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.imported_base import random_base
from acclimate.modeling.source import resolve_base
from acclimate.stages import Measure
from acclimate.stages.base import Context, Runtime
from acclimate.tasks.general_text import GeneralText
from acclimate.tasks.opened import Data
from acclimate.training.devices import Devices
from acclimate.training.interrupt import StopRequest
from acclimate.training.progress import Silent

TEXTS = (
    "the match of the team was a goal for the coach",
    "a song, from zzz and \u4e2d\u6587",
    "it is on the market",
    "the band of the song",
)
MASK = 4


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("measured")
    tiny_model(root / "base")
    random_base(resolve_base(str(root / "base"), root), root / "model", 0)
    return ModelFolder(root / "model")


def measured(folder, text, root):
    for each in ("work", "output"):
        (root / each).mkdir()
    runtime = Runtime(Devices("float32"), Silent(), StopRequest())
    context = Context(Data(None, {}, general=text), "all", 0, "tried", root / "cache", root / "work", root / "output", runtime)
    return Measure().run(folder, context).metrics, pq.read_table(root / "output" / "general_text.parquet").to_pydict()


def plain(folder, text):
    """What every word of a text costs in bits, with bytes that are not read as they are, one sequence at a time."""
    model, tokenizer = BertForMaskedLM.from_pretrained(folder.path).eval(), folder.tokenizer()
    encoded = tokenizer.encode(text, add_special_tokens=False)
    known = [place for place, token in enumerate(encoded.ids) if token > MASK]
    group, bits = dealt(np.array(encoded.ids), len(known)), 0.0
    for number in range(GROUPS):
        asked = [place for place, its in zip(known, group, strict=True) if its == number]
        masked = [MASK if place in asked else token for place, token in enumerate(encoded.ids)]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([[2, *masked, 3]])).logits[0].double().log_softmax(-1)
        bits -= sum(float(logits[place + 1, encoded.ids[place]]) for place in asked) / math.log(2)
    unread = sum(len(text[slice(*encoded.offsets[place])].encode()) for place in range(len(encoded.ids)) if place not in known)
    return bits + 8 * unread


def test_it_is_what_perplexity_and_plain_transformers_say(folder, tmp_path):
    metrics, documents = measured(folder, GeneralText("mine", TEXTS), tmp_path)
    assert documents["bits"] == pytest.approx([plain(folder, text) for text in TEXTS], rel=1e-5)
    assert documents["bytes"] == [len(text.encode()) for text in TEXTS]
    assert metrics["general_bits_per_byte"] == pytest.approx(sum(documents["bits"]) / sum(documents["bytes"]))
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS) + "\n", encoding="utf-8")
    scores = evaluate_text(folder.path, str(tmp_path / "texts.txt"), {"documents": "line"}, lambda _: None, None)
    assert {name: metrics[f"general_{name}"] for name in ("bits_per_byte", "loss", "accuracy")} == pytest.approx(
        {name: scores[name] for name in ("bits_per_byte", "loss", "accuracy")}, rel=1e-6
    )
