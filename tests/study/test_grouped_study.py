"""A study of sentences that stand in several texts each: noticed where nothing is said, and counted as groups where it is."""

import json
import random

import pytest

from .conftest import FILLER, WORDS, write_jsonl

MARKS = r"<<|>>|\[\[|\]\]"
STUDY = """forgetting: false
base: {world}/model
data:
  task: {{ train: train.jsonl, dev: dev.jsonl, test: test.jsonl{group} }}
seeds: 2
labels: [30]
reference: tfidf
recipes:
  tfidf: {{ base: tfidf }}
  majority: {{ base: majority }}
  TAPT:
    - pretrain: {{ corpus: task, tokens: 600, batch_tokens: 256, heldout_share: 0.2 }}
    - finetune: {{ epochs: 1, min_steps: 0 }}
"""


def relations(count, rng, number):
    """`count` sentences, three texts each: which two words are marked decides the label."""
    for sentence in range(count):
        topic = rng.choice(list(WORDS))
        words = [*rng.choices(FILLER, k=8), *rng.choices(WORDS[topic], k=4)]
        rng.shuffle(words)
        for first in (1, 4, 7):
            marks = {first: "<< {} >>", first + 2: "[[ {} ]]"}
            text = " ".join(marks.get(place, "{}").format(word) for place, word in enumerate(words))
            yield {"text": text, "label": topic, "paper": number + sentence // 2}


@pytest.fixture(scope="module")
def world(tiny_world, tmp_path_factory):
    folder, rng = tmp_path_factory.mktemp("relations"), random.Random(3)
    train, dev, test = (list(relations(count, rng, 100 * place)) for place, count in enumerate((40, 12, 24)))
    # One sentence of train is also asked about in test, with other marks.
    turned = train[0]["text"].translate(str.maketrans("<>[]", "[]<>"))
    for split, rows in (("train", train), ("dev", dev), ("test", [*test, train[0] | {"text": turned}])):
        write_jsonl(folder / f"{split}.jsonl", rows)
    for name, group in (("loose", ""), ("sentences", f", group: {{ text_without: '{MARKS}' }}"), ("papers", ", group: paper")):
        written = STUDY.format(world=tiny_world, group=group.replace("{ ", "{").replace(" }", "}"))
        (folder / f"{name}.yaml").write_text(written)
    return folder


def test_where_nothing_is_said_the_plan_names_the_group_that_it_means(world, acclimate):
    planned = acclimate("plan", "loose.yaml", folder=world)
    noted = "note: 73 test texts are 25 sentences, many of them more than once with other marks"
    train = "; the sentence of one of them stands in train, too"
    assert f"{noted}{train}: verdicts take texts as independent; say group: {{text_without: '{MARKS}'}}" in planned.stdout
    told = acclimate("plan", "sentences.yaml", folder=world)
    assert "verdicts take texts as independent" not in told.stdout
    assert "task.groups: train 40, dev 12, test 25" in told.stdout
    leak = "note: 1 group of train stands in test, with 1 test text: what was learned of them may flatter the scores"
    assert leak in told.stdout


def test_verdicts_budgets_and_reports_count_groups(world, acclimate):
    ran = acclimate("study", "sentences.yaml", "--engine", "inline", "--out", "out", folder=world)
    assert (ran.returncode, "judged on 25 groups (73 test texts)" in ran.stdout) == (0, True)
    verdicts = json.loads((world / "out/verdicts.json").read_text())["verdicts"]
    assert [(each["texts"], each["groups"]) for each in verdicts] == [(73, 25)] * 2
    facts = json.loads((world / "out/study.json").read_text())
    assert facts["data"]["task"]["shared_groups"]["train/test"] == 1
    assert any(note.startswith("1 group of train stands in test") for note in facts["notes"])
    report = (world / "out/report.md").read_text()
    assert "groups are what is counted: 25 groups (73 test texts)" in report
    assert "1 group of train stands in test" in report
    pretrained = next(stage for stage in facts["stages"] if stage["stage"] == "pretrain")
    assert pretrained["metrics"]["heldout_tokens"] > 0


def test_groups_change_what_pretraining_on_the_task_holds_out_and_what_a_budget_draws(world, acclimate):
    titles = {}
    for name in ("loose", "sentences", "papers"):
        from acclimate.study.language.study import load_study
        from acclimate.study.plan.graph import Plan
        from acclimate.tasks.opened import Data

        study = load_study(world / f"{name}.yaml")
        plan = Plan.of(study, Data.open(study.data, world), world)
        titles[name] = {(node.stage.word(), node.seed): key for key, node in plan.nodes.items()}
    for stage in (("pretrain", 0), ("tfidf", 0)):
        assert len({keys[stage] for keys in titles.values()}) == 3
