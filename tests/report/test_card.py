"""The model card: metadata that the hub reads, and text in which names, labels and commands stay text."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from acclimate.report.pages.card import card, write_cards
from acclimate.report.pages.markdown import block, plain, table
from acclimate.report.results.chain import Chain
from acclimate.report.results.finished import Results

Make = Callable[..., Results]
EVIL = "a|b <script>alert(1)</script> `x` ``` \n---\nlicense: mit\n# h [l](http://e.example) \u202egnp\u2066 $x$ www.e.example עברית"
SCORES = {"fine-tune": {"all": [0.80, 0.81]}, "DAPT": {"all": [0.84, 0.85]}}
BETTER = {("DAPT", "all"): (0.04, 0.015, 0.065, "better")}
BASE = {"name": "owner/model", "hub": True, "digest": "d", "model_type": "bert", "parameters": 22_700_000, "license": "apache-2.0"}


def steps(recipe: str = "DAPT", seed: int = 0, **start: Any) -> list[dict[str, Any]]:
    """The stages of one run, base, pretraining and fine-tuning, as `study.json` tells them."""
    common = {"recipes": [recipe], "seed": seed, "status": "done"}
    return [
        {**common, "key": "base", "stage": "start", "settings": {"stage": "start", "digest": "d", "random": False, **start}},
        {
            **common, "key": "pre", "stage": "pretrain", "parent": "base", "notes": [f"a note {EVIL}"],
            "settings": {"stage": "pretrain", "corpus": "domain", "lr": 1e-4, "include": ["test"]},
        },
        {
            **common, "key": f"{recipe}-{seed}", "stage": "finetune", "parent": "pre",
            "metrics": {"cut_tokens_test": 12, "unknown_share_test": 0.203},
            "settings": {"stage": "finetune", "lr": 2e-5, "max_length": None},
        },
    ]  # fmt: skip


FACTS: dict[str, Any] = {
    "labels": ["pos", "neg"], "command": "acclimate study study.yaml", "versions": {"torch": "2.13.0"}, "bases": [BASE],
    "data": {
        "task": {
            "examples": {"train": 120, "dev": 60, "test": 90},
            "label_counts": {"train": {"pos": 100, "neg": 20}, "test": {"pos": 78, "neg": 12}},
            "duplicates": {"within": {}, "across": {"train/test": 3}, "conflicting_texts": 2}, "shared_groups": {"train/test": 4},
        },
        "corpora": {"domain": {"documents": 10, "words": 500, "bytes": 3000}, "other": {"documents": 77, "words": 1, "bytes": 1}},
        "overlap": {"domain": 0.0125, "other": 0.5},
    },
    "hub_datasets": {"other": ["owner/unread"]},
}  # fmt: skip


def chain_of(results: Results, recipe: str = "DAPT") -> Chain:
    chain = Chain.of(results, recipe, 0, results.budgets[-1])
    assert chain is not None
    return chain


def test_the_metadata_is_what_the_hub_asks_for(results_of: Make) -> None:
    written = ModelCard(card(chain_of(results_of(SCORES, BETTER, stages=steps(), **FACTS)), True, 64, "best")).data.to_dict()
    assert written.pop("model-index")[0]["results"][0]["task"]["type"] == "text-classification"
    assert written == {
        "license": "apache-2.0", "base_model": "owner/model", "library_name": "transformers", "pipeline_tag": "text-classification",
        "tags": ["acclimate", "domain-adaptation"], "metrics": ["f1", "accuracy"],
    }  # fmt: skip


def test_the_scores_come_back_as_evaluation_results_and_the_metadata_round_trips(results_of: Make) -> None:
    data = ModelCard(card(chain_of(results_of(SCORES, BETTER, stages=steps(), **FACTS)), True)).data
    first, second = data.eval_results
    assert isinstance(first, EvalResult)
    assert (first.metric_type, first.metric_value, first.dataset_split) == ("f1", 0.84, "test")
    assert (second.metric_type, second.metric_value) == ("accuracy", 0.875)
    assert data.model_name == "contracts: DAPT"
    again = ModelCardData(**yaml.safe_load(data.to_yaml()))
    assert again.to_dict() == data.to_dict()


@pytest.mark.parametrize(
    ("base", "random", "expected"),
    [
        ({"license": None}, False, ("other", "unknown", "owner/model")),
        ({"license": "other", "license_name": "my-own", "license_link": "L"}, False, ("other", "my-own", "owner/model")),
        ({"license": "other"}, False, ("other", "unknown", "owner/model")),
        ({"hub": False, "name": "folder"}, False, ("apache-2.0", None, None)),
        ({}, True, ("apache-2.0", None, None)),
    ],
    ids=["no licence", "its own licence", "other without a name", "local base", "random weights"],
)
def test_what_is_not_known_is_left_out_or_said_to_be_unknown(results_of: Make, base: Any, random: bool, expected: Any) -> None:
    facts = {**FACTS, "bases": [{**BASE, **base}]}
    data = ModelCard(card(chain_of(results_of(SCORES, BETTER, stages=steps(random=random), **facts)), True)).data
    assert (data.license, data.license_name, data.base_model) == expected
    assert data.language is None
    assert data.datasets is None


def test_data_sets_of_the_hub_are_named_where_the_model_read_them(results_of: Make) -> None:
    facts = {**FACTS, "hub_datasets": {"task": ["owner/task"], "domain": ["owner/domain"], "other": ["owner/unread"]}}
    data = ModelCard(card(chain_of(results_of(SCORES, BETTER, stages=steps(), **facts)), True)).data
    assert data.datasets == ["owner/task", "owner/domain"]
    assert data.eval_results[0].dataset_type == "owner/task"


def test_what_answers_without_labels_names_no_data_of_the_task_and_no_number_of_labels(results_of: Make) -> None:
    base, *_, end = steps()
    answers = {**end, "parent": "base", "stage": "zero_shot", "role": "answers", "settings": {"template": "about {}"}}
    facts = {**FACTS, "hub_datasets": {"task": ["owner/task"]}}
    made = ModelCard(card(chain_of(results_of(SCORES, BETTER, stages=[{**base, "role": "start"}, answers], **facts)), True))
    assert made.data.datasets is None
    assert "It has learned from no label of this task" in made.text
    assert "This model has learned from none of these labels" in made.text
    assert "It learnt from" not in made.text


def test_what_answers_after_it_has_learned_from_the_labels_is_no_recipe_without_labels(results_of: Make) -> None:
    *before, end = steps()
    answers = {**end, "key": "asked", "parent": end["key"], "stage": "zero_shot", "role": "answers"}
    for about, without in ((None, False), ("nli", True)):
        learned = [*before, {**end, "role": "learns", "about": about}, answers]
        assert ("DAPT" in results_of(SCORES, BETTER, stages=learned, **FACTS).without_labels) == without


def test_labels_counted_by_class_are_told_by_what_they_come_to(results_of: Make) -> None:
    scores = {recipe: {"8 per class": values["all"]} for recipe, values in SCORES.items()}
    facts = {**FACTS, "budget_sizes": {"8 per class": 16}}
    text = card(chain_of(results_of(scores, {("DAPT", "8 per class"): BETTER["DAPT", "all"]}, stages=steps(), **facts)), True)
    assert "It learnt from 16 labelled texts, which is few." in text


def test_the_text_says_what_it_is_what_it_can_and_what_nobody_knows(results_of: Make) -> None:
    text = card(chain_of(results_of(SCORES, BETTER, stages=steps(), **FACTS)), True, 64, "best")
    assert "the recipe “DAPT” is the best of 2 recipes by macro F1 on the dev set, and this is its run with seed 0" in text
    assert "2. **pretrain** on “domain”: lr 0.0001" in text
    assert "| macro F1 | 0.840 | 0.845 (0.840 to 0.850) |" in text
    checkpoint = "for this checkpoint (its pretraining was run once)"
    assert f"“DAPT” is better than the reference “fine-tune” {checkpoint}: +0.040 in macro F1 (95 % interval" in text.replace("\\[", "[")
    assert "acclimate study study.yaml" in text
    for limit in (
        "It learnt from 120 labelled texts, which is few.",
        "fewer than 30 test texts, so that what is known of them is rough: “neg” (12).",
        "3 texts stand in both train and test",
        "4 groups have texts in both train and test",
        "2 equal texts have different labels",
        "1.2 % of the test texts were found in the corpus “domain”",
        "It read the texts of test in pretraining, without their labels.",
        "12 tokens of the test texts were not seen",
        "20.3 % of the tokens of the test texts are unknown to its vocabulary: it cannot read them.",
        "It was not tested for bias",
    ):
        assert limit in text, limit
    assert "77" not in text  # of a corpus that it never read


def test_a_verdict_that_cannot_tell_is_a_limit_and_one_seed_is_another(results_of: Make) -> None:
    unclear = {("DAPT", "all"): (0.04, -0.01, 0.09, "cannot tell")}
    text = card(chain_of(results_of(SCORES, unclear, stages=steps(), **FACTS)), True, role="best")
    assert "- The study does not show that it is better than the reference “fine-tune”." in text
    once = {recipe: {"all": scores["all"][:1]} for recipe, scores in SCORES.items()}
    assert "- It was trained with one seed" in card(chain_of(results_of(once, unclear, stages=steps(), **FACTS)), True, role="best")


def test_a_run_alone_is_compared_with_nothing(results_of: Make) -> None:
    text = card(
        chain_of(results_of({"finetune": {"all": [0.8]}}, reference="finetune", stages=steps("finetune"), **FACTS), "finetune"), True
    )
    assert "compared with nothing" in text
    assert "reference" not in text.partition("\n---\n")[2]


def test_both_models_of_a_folder_get_their_cards_and_missing_ones_none(folder: Path) -> None:
    assert write_cards(folder) == ()
    for name, config in (("best", {"model_type": "acclimate-tfidf"}), ("best_transformer", {"model_type": "bert"})):
        (folder / name).mkdir()
        (folder / name / "config.json").write_text(json.dumps(config))
    assert [path.parent.name for path in write_cards(folder)] == ["best", "best_transformer"]
    own, plain_one = (ModelCard.load(folder / name / "README.md") for name in ("best", "best_transformer"))
    assert (own.data.library_name, plain_one.data.library_name) == ("acclimate", "transformers")
    assert "Plain transformers cannot load" in own.text
    assert "best on the dev set of those recipes that plain transformers can load" in plain_one.text


def _outside_code(text: str) -> str:
    return re.sub(r"(?ms)^(`{3,})\w*$.*?^\1$", "", text)


def _inert(text: str) -> None:
    """Nothing that came from data is markup, a second block of metadata, or turns the text around."""
    front, _, body = text[4:].partition("\n---\n")
    assert yaml.safe_load(front)["license"] == "other"
    assert not re.search(r"[\u202a-\u202e\u2066\u2067\ud800-\udfff\x00-\x08\x0b-\x1f]", text)
    outside = _outside_code(body)
    assert not re.search(r"<\w|</|://|www\.|(?<!\\)\[l|(?<!\\)\$", outside)
    assert not re.search(r"(?<!\\)`", outside)
    assert not re.search(r"(?m)^(---|license: mit|# h)", outside)
    for line in outside.splitlines():
        if line.startswith("|"):
            assert line.endswith(" |")
    text.encode("utf-8")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.text(st.characters()))
def test_any_name_gives_a_card_that_can_be_read(name: str) -> None:
    row = {"recipe": name, "seed": 0, "labels": "all", "status": "done", "test_macro_f1": 0.5, "key": "k"}
    about = {"name": name, "metric": "macro_f1", "labels": [name], "stages": [], "command": name}
    read = ModelCard(card(Chain.of_run(Results.of_run(row, about)), True))
    assert read.data.license == "other"
    assert read.data.eval_results[0].metric_value == 0.5
    assert read.text.lstrip().startswith("# ")


def test_markdown_escapes_what_would_be_markup() -> None:
    assert plain("a|b *c* <d> & www.x.y http://z e@f") == "a\\|b \\*c\\* &lt;d&gt; &amp; www&#46;x.y http:&#47;/z e&#64;f"
    assert block("x\n```\ny") == "````\nx\n```\ny\n````"
    assert table(("a", "b"), [("x|y", "1")]) == "| a | b |\n| --- | ---: |\n| x\\|y | 1 |"
