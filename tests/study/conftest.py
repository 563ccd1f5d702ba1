"""A world small enough to run whole studies in seconds: a random BERT of 2 layers, a vocabulary of its own, texts that can be learned."""

import json
import random

import pytest
import torch
from tests.moto_server import bucket, s3  # noqa: F401 - fixtures
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from acclimate.evaluation import speed
from acclimate.report.charts import svg

WORDS = {
    "sport": ["match", "goal", "team", "player", "league", "score", "win", "coach", "ball", "cup"],
    "trade": ["market", "price", "share", "bank", "profit", "stock", "rate", "deal", "growth", "fund"],
    "music": ["song", "album", "band", "concert", "guitar", "chart", "tune", "singer", "stage", "record"],
}
FILLER = ["the", "a", "of", "and", "to", "in", "was", "is", "on", "for", "with", "that", "by", "it", "at", "from"]


def sentence(topic, rng):
    words = [rng.choice(WORDS[topic]) if rng.random() < 0.35 else rng.choice(FILLER) for _ in range(rng.randint(5, 14))]
    return " ".join([*words, rng.choice(WORDS[topic])])


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def tiny_model(folder):
    """A BertModel (encoder and pooler, no MLM head) with its tokenizer."""
    from transformers import BertConfig, BertModel

    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *FILLER, *(word for topic in WORDS.values() for word in topic)]
    tokenizer = Tokenizer(models.WordPiece({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_special_tokens(words[:5])
    tokenizer.post_processor = processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)])
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "max_position_embeddings": 64}
    BertModel(BertConfig(vocab_size=len(words), **sizes)).save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer", "mask_token": "[MASK]"}))


@pytest.fixture(autouse=True, scope="module")
def charts_are_not_drawn():
    """To draw the charts takes as long as to train what they show; that they are drawn well is promised in tests/report."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(svg, "_svg", lambda specification: '<svg xmlns="http://www.w3.org/2000/svg"/>')
        yield


@pytest.fixture(autouse=True, scope="module")
def models_are_timed_once():
    """What `prune` and `extend` gain is timed in fifteen rounds, which takes longer than all else that they do here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(speed, "ROUNDS", 1)
        yield


@pytest.fixture(scope="session")
def tiny_world(tmp_path_factory):
    """A folder with `model/`, `train|dev|test.jsonl` and `domain.jsonl`."""
    folder = tmp_path_factory.mktemp("world")
    tiny_model(folder / "model")
    rng = random.Random(0)
    topics = list(WORDS)
    seen: set[str] = set()

    def rows(count):
        made = []
        while len(made) < count:
            topic = rng.choice(topics)
            text = sentence(topic, rng)
            if text not in seen:
                seen.add(text)
                made.append({"text": text, "label": topic})
        return made

    for split, count in (("train", 90), ("dev", 40), ("test", 60)):
        write_jsonl(folder / f"{split}.jsonl", rows(count))
    write_jsonl(folder / "domain.jsonl", [{"text": row["text"]} for row in rows(300)])
    return folder


HEAD = """forgetting: false
base: {world}/model
data:
  domain: {world}/domain.jsonl
  task: {{ train: {world}/train.jsonl, dev: {world}/dev.jsonl, test: {world}/test.jsonl }}
"""
STUDY = (
    HEAD
    + """
seeds: 2
labels: [30, all]
reference: fine-tune
recipes:
  fine-tune: [finetune: {{ lr: 1e-2, epochs: 8, min_steps: 0, patience: null }}]
  tfidf: {{ base: tfidf }}
  deep head: [finetune: {{ train: head, head: {{ layers: 2, hidden: 8 }}, epochs: 2, min_steps: 0 }}]
  scratch: {{ base: random, stages: [finetune: {{ lr: 5e-3, epochs: 2, min_steps: 0 }}] }}
  DAPT + TAPT:
    - pretrain: {{ corpus: domain, tokens: 6000, batch_tokens: 512, lr: 5e-3 }}
    - pretrain: {{ corpus: task, epochs: 1, batch_tokens: 256, lr: 5e-3 }}
    - finetune: {{ lr: 1e-2, epochs: 4, min_steps: 0, patience: null }}
"""
)


@pytest.fixture(scope="session")
def write_study(tiny_world):
    """A function that writes a study on the tiny world into a folder (by default one of every kind of recipe), and returns its path.

    In its text `{world}` is the world's folder, and `{head}` the usual base and data.
    """

    def write(folder, text=STUDY):
        path = folder / "study.yaml"
        path.write_text(text.format(world=tiny_world, head=HEAD.format(world=tiny_world)))
        return path

    write.text = STUDY
    return write


@pytest.fixture
def plan_of(write_study, tmp_path):
    """A function from the text of a study, as `write_study` takes it, to its plan."""
    from acclimate.study.language.study import load_study
    from acclimate.study.plan.graph import Plan
    from acclimate.tasks.opened import Data

    def make(text):
        study = load_study(write_study(tmp_path, text))
        return Plan.of(study, Data.open(study.data, tmp_path, tmp_path / "cache"), tmp_path)

    return make
