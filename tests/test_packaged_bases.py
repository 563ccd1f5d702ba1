"""What puts a model into the package: half the bytes, the same model, and a card that the hub can read."""

import pytest
import torch
from huggingface_hub import ModelCard
from safetensors.torch import load_file, save_file
from transformers import AutoModelForMaskedLM, BertConfig, BertForMaskedLM

from bases.package import SOURCES, card, halve
from bases.scores import PACKAGE as BASES
from bases.scores import RESULTS, section, with_scores


@pytest.fixture
def model(tmp_path):
    torch.manual_seed(0)
    made = BertForMaskedLM(
        BertConfig(
            vocab_size=40, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, max_position_embeddings=16
        )
    )
    made.save_pretrained(tmp_path / "model")
    (tmp_path / "model/tokenizer.json").write_text("{}")
    return made.eval()


def test_weights_take_half_the_bytes_and_are_read_as_float32(model, tmp_path):
    (tmp_path / "half").mkdir()
    halve(tmp_path / "model", tmp_path / "half")
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("model", "half")]
    assert sizes[1] < 0.6 * sizes[0]
    loaded = AutoModelForMaskedLM.from_pretrained(tmp_path / "half").eval()
    assert loaded.dtype == torch.float32
    ids = torch.arange(5, 15)[None]
    with torch.no_grad():
        torch.testing.assert_close(loaded(ids).logits, model(ids).logits, rtol=0, atol=1e-2)
    assert (tmp_path / "half/tokenizer.json").is_file()


def test_weights_that_do_not_fit_into_half_precision_are_refused(model, tmp_path):
    with torch.no_grad():
        next(iter(model.parameters())).fill_(1e6)
    model.save_pretrained(tmp_path / "model")
    (tmp_path / "half").mkdir()
    with pytest.raises(ValueError, match="holds a weight that float16 cannot"):
        halve(tmp_path / "model", tmp_path / "half")


@pytest.mark.parametrize(
    ("name", "hub", "random", "kind"),
    [
        ("owner/model", True, False, "bert"),
        ("randomly named folder", False, False, "bert"),
        ("random, 2 layers of 128", False, True, "bert"),
        ("random, 2 layers of 128", False, True, "gpt2"),
    ],
)
def test_the_card_says_what_it_comes_from_where_every_text_is_from_and_what_was_measured(name, hub, random, kind):
    facts = {"documents": 10, "tokens": 1000, "share": 0.25, "training_tokens": 200, "heldout_tokens": 50}
    measured = {"heldout_loss": 3.5, "heldout_accuracy": 0.4, "bits_per_byte": 1.2}
    run = {
        "recipe": "acclimate-mini", "seed": 0, "status": "done", "model": "models/acclimate-mini", "heldout_loss_before": 9.0,
        "heldout_loss_after": 3.5, "tokenizer": "x", "cost": {"tokens": 5000, "seconds": 60.0, "parameters": 1000, "disk_bytes": 4000},
        "corpora": dict.fromkeys(SOURCES, facts | measured),
    }  # fmt: skip
    steps = {"the start": {"random": random}, "pretrain on 7 corpora": {"lr": 1e-3}}
    stages = [{"title": f"acclimate-mini: {title}", "settings": step, "recipes": ["acclimate-mini"]} for title, step in steps.items()]
    results = {"runs": [run], "machine": {"system": "Linux", "cpus": 2}, "version": "0.1.0", "stages": stages}
    results["bases"] = [{"name": name, "hub": hub, "license": "apache-2.0"}]
    written = ModelCard(card(results, run, "A small model.", {"model_type": kind}))
    assert written.data.license == "apache-2.0"
    task = {"bert": "fill-mask", "gpt2": "text-generation"}[kind]
    assert written.data.pipeline_tag == task
    assert f'pipeline("{task}"' in written.text
    assert ("masked" in written.text) == (kind == "bert")
    assert all(what in written.text and terms in written.text for what, terms in SOURCES.values())
    assert 'pretrain on 7 corpora: `{"lr": 0.001}`' in written.text
    assert "3.500" in written.text
    assert "training here saw 5 k tokens" in written.text
    assert written.data.base_model == (name if hub else None)
    assert (f"`{name}` (apache-2.0)" in written.text, "From random weights" in written.text) == (not random, random)


def test_what_masked_language_modelling_does_not_train_stays_behind(model, tmp_path):
    whole = load_file(tmp_path / "model/model.safetensors") | {"bert.pooler.dense.weight": torch.zeros(16, 16)}
    save_file(whole, tmp_path / "model/model.safetensors", metadata={"format": "pt"})
    (tmp_path / "half").mkdir()
    halve(tmp_path / "model", tmp_path / "half")
    assert set(load_file(tmp_path / "half/model.safetensors")) == set(whole) - {"bert.pooler.dense.weight"}


def test_cards_show_the_scores_of_every_study_that_was_run_at_every_number_of_labels(tmp_path):
    study = "data: {task: {path: t}}\nmetric: accuracy\nrecipes: {tiny: [finetune], bilstm: {base: bilstm}}\n"
    few = ["100,tiny,done,0.5", "100,tiny,done,0.7", "100,bilstm,done,0.6", "100,bilstm,failed,", "1000,tiny,done,0.7"]
    for name, rows in {"sst2": few, "sst2-all": ["all,tiny,done,0.8", "all,tiny,done,0.8"]}.items():
        (tmp_path / f"base-{name}.yaml").write_text(study)
        (tmp_path / f"base-{name}.csv").write_text("\n".join(["labels,recipe,status,test_accuracy", *rows]))
    part = section("tiny", tmp_path)
    card = with_scores("# tiny\n\n## Limits\n\n- It is small.\n", part)
    assert "| sst2 | 100 | accuracy | 0.600 ± 0.141 | – | – | – | – |" in card
    assert "| sst2 | 1000 | accuracy | – |" in card
    assert "| sst2 | all | accuracy | 0.800 ± 0.000 |" in card
    assert "chemprot" not in card
    assert with_scores(card, part) == card
    assert card.endswith("## Limits\n\n- It is small.\n")


@pytest.mark.parametrize("name", ["mini", "tiny", "tiny-causal"])
def test_committed_cards_show_the_scores_that_are_committed(name):
    card = (BASES / name / "README.md").read_text(encoding="utf-8")
    assert with_scores(card, section(name, RESULTS)) == card, "run `python bases/scores.py`, and commit what it wrote"
