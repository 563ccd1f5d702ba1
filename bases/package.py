"""Put a model that a study has made into the package: float16 on disk, with a card that says how it came to be.

python bases/package.py bases/results/mini acclimate-mini "BERT in 4 layers of 384: ..." && python bases/scores.py
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import ModelCard, ModelCardData
from safetensors.torch import load_file, save_file

from acclimate.files import atomic_folder, read_json, write_json, write_text
from acclimate.modeling.base_files import KIND
from acclimate.modeling.families import family_of
from acclimate.report.pages.markdown import block, grid
from acclimate.report.results.chain import Chain
from acclimate.report.results.finished import Results
from acclimate.report.tables.grid import Grid
from acclimate.report.words.text import amount, duration, percent, score, size

PACKAGE = Path(__file__).parents[1] / "src" / "acclimate" / "bases"
JUDGING = ("measures", "answers")  # what leaves a model as it is
COPIED = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt")
# What the study calls them -> what they are, and under which terms their texts may be used.
SOURCES = {
    "wikipedia": ("articles of the English Wikipedia", "CC BY-SA 3.0"),
    "books": ("books of Project Gutenberg, without its headers and licence", "public domain in the United States"),
    "abstracts": ("titles and abstracts of the ACL Anthology to 2022", "CC BY 4.0 (from 2016), CC BY-NC-SA 3.0 (before)"),
    "plos": ("articles of PLOS journals", "CC BY"),
    "craft": ("the 97 articles of the CRAFT corpus", "open access; annotations, which were not used, CC BY 3.0"),
    "terms": ("terms of service and privacy policies of platforms (Open Terms Archive)", "ODC-By 1.0"),
    "hearings": (
        "oral arguments before the Supreme Court of the United States",
        "arguments: public record; transcripts by Oyez: CC BY-NC 4.0",
    ),
}


def main() -> None:
    """Package one model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="the study's output folder")
    parser.add_argument("name", help="the recipe, which is the model's name")
    parser.add_argument("about", help="one sentence about it")
    options = parser.parse_args()
    results, run = made(options.results, options.name)
    target = PACKAGE / options.name.removeprefix("acclimate-")
    with atomic_folder(target) as folder:
        halve(options.results / "best", folder)
        write_text(folder / "README.md", card(results, run, options.about, read_json(folder / "config.json")))
    print(f"{target}: {sum(file.stat().st_size for file in target.iterdir()) / 1e6:.1f} MB")


def made(folder: Path, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """What a study says of itself, and of the run that it handed over: its cost, and what its last pretraining measured.

    Raises:
        ValueError: that is another recipe's.
    """
    results = Results.load(folder)
    best = results.study["best"]
    if best["recipe"] != name:
        raise ValueError(f"{folder}: the best model is that of {best['recipe']!r}, not of {name!r}")
    chain = Chain.of(results, name, best["seed"], best["labels"])
    assert chain is not None
    measured = chain.pretrainings[-1].metrics
    kept = {each: measured.get(each) for each in ("heldout_loss_before", "heldout_loss_after", "corpora")}
    return dict(results.study), {"recipe": name, "seed": best["seed"], **kept, "cost": dict(chain.run.values)}


def halve(model: Path, folder: Path) -> None:
    """The model with its weights in half the bytes; its configuration says that they are to be read as float32.

    The pooler, which masked language modelling neither has nor trains, stays behind.

    Raises:
        ValueError: a weight is too large for float16.
    """
    weights = {name: tensor for name, tensor in load_file(model / "model.safetensors").items() if ".pooler." not in name}
    tensors = {name: tensor.to(torch.float16) for name, tensor in weights.items()}
    if unfit := [name for name, tensor in tensors.items() if not tensor.isfinite().all()]:
        raise ValueError(f"{model}: {unfit[0]} holds a weight that float16 cannot")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)  # the library leaves it to its owner alone
    # What it was judged by is the study's affair, and nobody's who begins with it.
    config = {name: value for name, value in read_json(model / "config.json").items() if name != KIND}
    write_json(folder / "config.json", config | {"dtype": "float32"})
    for name in COPIED:
        if (model / name).is_file():
            shutil.copyfile(model / name, folder / name)


def card(results: dict[str, Any], run: dict[str, Any], about: str, config: dict[str, Any]) -> str:
    """The model card, but for the scores on tasks, which scores.py puts in."""
    decoder = family_of(config).decoder
    (base,) = results["bases"]
    data = ModelCardData(
        language="en",
        license="apache-2.0",
        library_name="transformers",
        pipeline_tag="text-generation" if decoder else "fill-mask",
        tags=["acclimate", config["model_type"], "causal-lm" if decoder else "masked-lm"],
        base_model=base["name"] if base["hub"] else None,
    )
    sources = Grid(
        "Texts that it was trained on",
        ("corpus", "what", "terms"),
        tuple((name, *SOURCES[name]) for name in run["corpora"]),
        frozenset({0, 1, 2}),
    )
    machine = results.get("machine") or {}
    stages = [stage for stage in results.get("stages") or () if run["recipe"] in stage["recipes"] and stage.get("role") not in JUDGING]
    random = any(stage["settings"].get("random") for stage in stages)
    parts = [
        f"# {run['recipe']}",
        about,
        block((USE_DECODER if decoder else USE).format(name=run["recipe"]), "python"),
        "## How it was made",
        "From random weights." if random else f"From `{base['name']}` ({base['license']}).",
        *(f"{number}. {stage['title'].partition(': ')[2]}: `{json.dumps(stage['settings'])}`" for number, stage in enumerate(stages, 1)),
        f"On {machine.get('system')} with {machine.get('cpus')} CPUs, by acclimate {results.get('version')}; the study file: `bases/`.",
        grid(cost_grid(run)),
        "## Texts",
        grid(sources),
        grid(corpora_grid(run)),
        "## What it knows of held-out text",
        grid(heldout_grid(run, decoder)),
        "## Limits",
        LIMITS.format(tokens=amount(run["cost"]["tokens"])),
    ]
    return str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n\n".join(parts) + "\n"))


def heldout_grid(run: dict[str, Any], decoder: bool) -> Grid:
    """A line for each corpus: what the last pretraining held out."""
    rows = []
    for name, facts in run["corpora"].items():
        unknown = "–" if facts.get("unknown_share") is None else percent(facts["unknown_share"])
        numbers = (score(facts["heldout_loss"]), percent(facts["heldout_accuracy"]), score(facts["bits_per_byte"]), unknown)
        rows.append((name, *numbers, amount(facts["heldout_tokens"])))
    headings = (
        "corpus",
        "nats per token" if decoder else "nats per masked token",
        "found",
        "bits per byte",
        "unknown tokens",
        "tokens held out",
    )
    asked = "each token from those before it" if decoder else "15 % of its tokens masked"
    return Grid(f"Held-out text, {asked}; lower loss is better", headings, tuple(rows)).without_empty_columns()


def cost_grid(run: dict[str, Any]) -> Grid:
    """What it took, and what of all its held-out text changed in the last pretraining."""
    cost = run["cost"]
    losses = (score(run["heldout_loss_before"]), score(run["heldout_loss_after"]))
    whole = (amount(cost["tokens"]), duration(cost["seconds"]), amount(cost["parameters"]), size(cost["disk_bytes"]))
    headings = ("recipe", "loss before", "loss after", "tokens trained on", "time", "parameters", "size")
    return Grid("Cost, and all held-out text together before and after the last pretraining", headings, ((run["recipe"], *losses, *whole),))


def corpora_grid(run: dict[str, Any]) -> Grid:
    """What an epoch of the last pretraining is made of."""
    whole = sum(facts["training_tokens"] for facts in run["corpora"].values())
    rows = []
    for name, facts in run["corpora"].items():
        part = percent(facts["training_tokens"] / whole) if whole else "–"
        counts = (amount(facts["documents"]), amount(facts["tokens"]), f"{facts['share']:g}", amount(facts["training_tokens"]), part)
        rows.append((name, *counts))
    headings = ("corpus", "documents", "tokens", "times an epoch", "tokens an epoch", "part of it")
    return Grid("What an epoch of the last pretraining reads", headings, tuple(rows))


USE = """\
from acclimate import packaged_base
from transformers import pipeline

fill = pipeline("fill-mask", model=str(packaged_base("{name}")))"""
USE_DECODER = """\
from acclimate import packaged_base
from transformers import pipeline

go_on = pipeline("text-generation", model=str(packaged_base("{name}")))"""
LIMITS = """\
- It is small, and its training here saw {tokens} tokens; BERT read 3.3 billion words some forty times (Devlin et al. 2019). It is there for
  demonstrations, tests and work without a network.
- English only, in lower case. Numbers, names and whatever came after 2022 it knows badly or not at all.
- An encyclopaedia, papers, old books and courts make up most of what it read, with their views of people. Nobody has tested it for bias."""


if __name__ == "__main__":
    main()
