from pathlib import Path
from typing import Any

import pytest

from acclimate.errors import SettingsError
from acclimate.stages.finetune import Finetune
from acclimate.stages.pretrain import Pretrain
from acclimate.stages.tfidf import Tfidf
from acclimate.study.language.implied import with_task
from acclimate.study.language.recipe import Recipe
from acclimate.study.language.study import Study, load_study, parse_study, refuse_incomplete, resolved
from acclimate.study.language.yaml import dump, parse
from acclimate.tasks.opened import DataSettings

STUDY = """\
base: some/model
data:
  domain: corpora/**/*.txt
  general: {path: wiki.jsonl.zst, text: body}
  task: {kind: classify, train: train.jsonl, dev: dev.jsonl, test: test.jsonl, text: clause, label: type}
seeds: 5
labels: [100, 1000, all]
reference: fine-tune
recipes:
  fine-tune: [finetune]
  deep head: [finetune: {train: head, head: {layers: 2, hidden: 256}}]
  top 2: [finetune: {train: 2}]
  scratch: {base: random, stages: [finetune: {epochs: 30}]}
  tfidf: {base: tfidf}
  trigrams: {base: {tfidf: {ngrams: 3}}}
  TAPT: [pretrain: {corpus: task}, finetune]
  DAPT: [pretrain: {tokens: 50_000_000, lr: 2e-5}, finetune: ]
"""
BELOW = "10:3: recipes.fine-tune: a plain baseline is a base, and its settings stand below its name: write base: "
TASK = {"train": "train.jsonl"}
DATA: dict[str, Any] = {"task": TASK}


def of(text: str) -> Study:
    document = parse(text, "study.yaml")
    return parse_study(document.value, document)


def mistakes_in(old: str, new: str) -> list[str]:
    assert old in STUDY
    with pytest.raises(SettingsError) as caught:
        of(STUDY.replace(old, new, 1))
    message = str(caught.value)
    # Names that pydantic gives to members of unions and to its own validators say nothing to a user.
    assert not any(
        word in message for word in ("function-", "tagged", "pydantic", "CorpusSettings", "literal[", "constrained", "Value error")
    )
    return message.split("\n")


def test_a_study_is_read_as_it_is_written() -> None:
    study = of(STUDY)
    assert study.seed_list == (0, 1, 2, 3, 4)
    assert study.label_budgets == ("100", "1000", "all")
    assert list(study.recipes) == ["fine-tune", "deep head", "top 2", "scratch", "tfidf", "trigrams", "TAPT", "DAPT"]
    assert study.recipes["fine-tune"] == Recipe(stages=(Finetune(),))
    assert study.recipes["top 2"].stages == (Finetune(train=2),)
    assert study.recipes["scratch"] == Recipe(base="random", stages=(Finetune(epochs=30),))
    assert study.recipes["tfidf"] == Recipe(base="tfidf", stages=(Tfidf(),))
    assert study.recipes["trigrams"].stages == (Tfidf(ngrams=3),)
    assert study.recipes["DAPT"].stages == (Pretrain(tokens=50_000_000, lr=2e-5), Finetune())
    assert all(recipe.answers for recipe in study.recipes.values())


def test_defaults_are_three_seeds_all_labels_and_the_first_recipe() -> None:
    study = Study(base="m", data=DATA, recipes={"a": ["finetune"], "b": {"base": "tfidf"}})
    assert (study.name, study.seed_list, study.label_budgets, study.reference_name) == ("study", (0, 1, 2), ("all",), "a")


def test_python_says_the_same_as_yaml() -> None:
    data = DataSettings(task=TASK, domain="corpus.txt")
    python = Study(
        base="m",
        data=data,
        seeds=[3, 1],
        recipes={"fine-tune": [Finetune()], "DAPT": [Pretrain(tokens=1000), Finetune(lr=2e-5)], "tfidf": Recipe(base="tfidf")},
    )
    yaml = of(
        "{base: m, data: {task: {train: train.jsonl}, domain: corpus.txt}, seeds: [3, 1], recipes: "
        "{fine-tune: [finetune], DAPT: [pretrain: {tokens: 1000}, finetune: {lr: 2e-5}], tfidf: {base: tfidf}}}"
    )
    assert python == yaml
    assert python.seed_list == (3, 1)
    assert Study.model_validate(python.model_dump()) == python


def test_resolved_writes_out_every_default_and_is_read_back() -> None:
    study = of(STUDY)
    plain = resolved(study)
    assert (plain["reference"], plain["metric"]) == ("fine-tune", "macro_f1")
    assert plain["recipes"]["fine-tune"] == {
        "base": "some/model",
        "stages": [{"finetune": Finetune().model_dump(mode="json", exclude={"stage"})}],
        "draw": 0,
    }
    assert plain["recipes"]["tfidf"] == {"base": {"tfidf": Tfidf().model_dump(mode="json", exclude={"stage"})}, "draw": 0}
    again = of(dump(plain))
    assert resolved(again) == plain
    assert {name: recipe.stages for name, recipe in again.recipes.items()} == {
        name: recipe.stages for name, recipe in study.recipes.items()
    }
    assert again.data == study.data


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            "{corpus: task}",
            "{corpus: task, learning_rate: 1e-4}",
            "16:35: recipes.TAPT[0].pretrain: unknown key 'learning_rate' (did you mean 'lr'?)",
        ),
        (
            "{corpus: task}",
            "{corpus: task, batch_size: 8}",
            "16:35: recipes.TAPT[0].pretrain: unknown key 'batch_size' (did you mean 'batch_tokens'?)",
        ),
        ("{train: 2}", "{epoch: 2}", "12:22: recipes.top 2[0].finetune: unknown key 'epoch' (did you mean 'epochs'?)"),
        ("{layers: 2,", "{layer: 2,", "11:46: recipes.deep head[0].finetune.head: unknown key 'layer' (did you mean 'layers'?)"),
        (
            "{train: 2}",
            "{train: haed}",
            "12:22: recipes.top 2[0].finetune.train: should be 'all' or 'head' or a whole number or a mapping, not 'haed'",
        ),
        ("{train: 2}", "{lr: fast}", "12:22: recipes.top 2[0].finetune.lr: should be a number, not 'fast'"),
        ("{train: 2}", "{lr: -1}", "12:22: recipes.top 2[0].finetune.lr: should be more than 0, not -1"),
        ("{epochs: 30}", "{epoch: 30}", "13:47: recipes.scratch.stages[0].finetune: unknown key 'epoch' (did you mean 'epochs'?)"),
        ("{ngrams: 3}", "{ngram: 3}", "15:29: recipes.trigrams.base.tfidf: unknown key 'ngram' (did you mean 'ngrams'?)"),
        ("{ngrams: 3}", "{ngrams: 9}", "15:29: recipes.trigrams.base.tfidf.ngrams: should be at most 5, not 9"),
        ("dev: dev.jsonl", "valid: dev.jsonl", "5:46: data.task: unknown key 'valid' (did you mean 'dev'?)"),
        ("kind: classify", "kind: taggs", "5:10: data.task.kind: should be 'classify' or 'multilabel' or "),
        ("kind: classify", "kind: null", "5:10: data.task.kind: should be 'classify' or 'multilabel' or "),
        ("seeds: 5", "metric: macro_f2", "6:1: metric: 'macro_f2' is no score by which classify is compared; did you mean 'macro_f1'?"),
        ("{epochs: 30}", "{select_by: ece}", "13:47: recipes.scratch.stages[0].finetune.select_by: 'ece' is no score"),
        ("path: wiki.jsonl.zst, ", "", "4:3: data.general: the key 'path' is missing"),
        ("corpora/**/*.txt", "[a, 5]", "3:15: data.domain[1]: should be a word, not 5"),
        ("reference: fine-tune", "reference: finetune", "8:1: reference: 'finetune' is not a recipe (did you mean 'fine-tune'?)"),
        ("reference: fine-tune", "refrence: fine-tune", "8:1: unknown key 'refrence' (did you mean 'reference'?)"),
        ("seeds: 5", "seeds: [1, 2, 1]", "6:1: seeds: the seed 1 stands here twice"),
        ("seeds: 5", "seeds: 0", "6:1: seeds: should be at least 1, not 0"),
        ("seeds: 5", "seeds: [1, -2]", "6:12: seeds[1]: should be at least 0, not -2"),
        ("seeds: 5", "seeds: true", "6:1: seeds: should be a whole number or a list, not true"),
        ("seeds: 5", "name: ../up", "6:1: name: should be a name without slashes"),
        ("[100, 1000, all]", "[100, 100]", "7:1: labels: the budget 100 stands here twice"),
        ("[100, 1000, all]", "[0]", "7:10: labels[0]: should be at least 1, not 0"),
        (
            "[100, 1000, all]",
            "[alle]",
            "7:10: labels[0]: should be a whole number or 'all' or so many of each class, as '8 per class', not 'alle'",
        ),
        ("[finetune]", "[fintune]", "10:15: recipes.fine-tune[0]: unknown stage 'fintune' (did you mean 'finetune'?)"),
        ("[finetune]", "finetune", "10:3: recipes.fine-tune: a recipe is a list of stages"),
        ("[finetune]", "{finetune: {}}", "10:3: recipes.fine-tune: the stages of a recipe are a list: write [finetune: {...}]"),
        ("[finetune]", "[{finetune: {}, lr: 1}]", "10:15: recipes.fine-tune[0]: a stage is one name with its settings, not 2 keys"),
        ("[finetune]", "[finetune: 3]", "10:15: recipes.fine-tune[0]: the settings of finetune are a mapping"),
        ("[finetune]", "[{stage: fintune}]", "10:15: recipes.fine-tune[0]: unknown stage 'fintune'"),
        ("[finetune]", "[]", "10:3: recipes.fine-tune: has no stages"),
        ("[finetune]", "[pretrain]", "10:3: recipes.fine-tune: ends with pretrain"),
        (
            "[finetune]",
            "[finetune: {task: nli}]",
            "10:26: recipes.fine-tune[0].finetune.task: there is no task 'nli'; `data` has no `tasks`",
        ),
        ("[100, 1000, all]\n", "[all]\ntasks: {}\n", "8:1: unknown key 'tasks'"),
        ("[finetune]", "[tfidf]", "10:15: recipes.fine-tune[0]: tfidf is a base"),
        ("[finetune]", "{base: tfidf, stages: [finetune]}", "10:3: recipes.fine-tune: tfidf is a plain baseline and takes no stages"),
        ("[finetune]", "{base: {tfidf: {}}, stages: [finetune]}", "10:3: recipes.fine-tune: tfidf is a plain baseline and takes no stages"),
        (
            "[finetune]",
            "{base: doc2vec, corpus: domain, draw: 1}",
            BELOW + "{doc2vec: {corpus: domain}}",
        ),
        (
            "[finetune]",
            "{base: {bilstm: , hidden: 8}}",
            BELOW + "{bilstm: {hidden: 8}}",
        ),
        (
            "[finetune]",
            "{bilstm: {hidden: 8}}",
            BELOW + "{bilstm: {hidden: 8}}",
        ),
        (
            "[finetune]",
            "{tfidf: }",
            BELOW + "tfidf",
        ),
        (
            "[finetune]",
            "{base: tfidf, nothing: 8}",
            "10:28: recipes.fine-tune: unknown key 'nothing'; the keys here are base, stages, draw",
        ),
        (
            "[finetune]",
            "[bilstm: {hidden: 8}]",
            "10:15: recipes.fine-tune[0].bilstm: bilstm is a base, not a step",
        ),
        ("[finetune]", "{base: majority, stages: [finetune]}", "10:3: recipes.fine-tune: majority is a plain baseline and takes no stages"),
        ("[finetune]", "{base: majority, stages: [tfidf]}", "10:3: recipes.fine-tune: majority is a plain baseline and takes no stages"),
        (
            "[finetune]",
            "{base: {majority: {ngrams: 1}}}",
            "10:33: recipes.fine-tune.base.majority: unknown key 'ngrams'; nothing can be set here",
        ),
        ("[finetune]", "{base: {bilstm: {layers: 3}}}", "10:31: recipes.fine-tune.base.bilstm.layers: should be at most 2, not 3"),
        ("[finetune]", "{base: {tfidf: {}, bilstm: {}}}", "10:3: recipes.fine-tune: base: should be a hub id"),
        ("[finetune]", "{base: {layers_of: x}}", "10:15: recipes.fine-tune.base: the key 'keep' is missing"),
        (
            "{corpus: task}",
            "{corpus: domian}",
            "16:21: recipes.TAPT[0].pretrain.corpus: there is no corpus 'domian' (did you mean 'domain'?)",
        ),
        ("{corpus: task}", "{tokens: 5, epochs: 1}", "16:10: recipes.TAPT[0].pretrain: give `tokens` or `epochs`, not both"),
        ("  TAPT:", "  ' TAPT':", "16:3: recipes. TAPT: the recipe's name ' TAPT' is empty, or has spaces around it"),
        (
            "base: some/model",
            "base: random",
            "1:1: base: 'random' is not a pretrained model, and the recipes fine-tune, deep head, top 2, ... start from it",
        ),
        ("data:\n", "dat:\n", "1:1: the key 'data' is missing"),
    ],
)
def test_a_mistake_is_named_with_its_line_and_the_likely_mend(old: str, new: str, expected: str) -> None:
    assert mistakes_in(old, new)[0].startswith(f"study.yaml:{expected}")


def test_one_mistake_is_one_line() -> None:
    for old, new in (
        ("{train: 2}", "{train: haed}"),
        ("seeds: 5", "seeds: many"),
        ("corpora/**/*.txt", "{path: [1]}"),
        ("some/model", "random"),
    ):
        assert len(mistakes_in(old, new)) == 1


def test_a_missing_task_is_said_once_for_all_recipes() -> None:
    lines = mistakes_in("  task: {kind: classify, train: train.jsonl, dev: dev.jsonl, test: test.jsonl, text: clause, label: type}\n", "")
    assert lines == ["study.yaml:2:1: data: there is no `task`, and the recipes fine-tune, deep head, top 2, ... read it"]


def test_the_first_ten_mistakes_are_listed_and_the_rest_counted() -> None:
    lines = mistakes_in("seeds: 5", "\n".join(f"key{i}: 1" for i in range(13)))
    assert len(lines) == 11
    assert lines[9].startswith("study.yaml:15:1: unknown key 'key9'")
    assert lines[10] == "... and 3 more"


def test_without_a_file_the_place_alone_is_named() -> None:
    with pytest.raises(SettingsError, match=r"^recipes\.a\[1\]\.finetune: unknown key 'learning_rate'"):
        parse_study({"base": "m", "data": DATA, "recipes": {"a": ["pretrain", {"finetune": {"learning_rate": 1}}]}})
    with pytest.raises(SettingsError, match=r"^recipes\.a\[0\]: there is no corpus 'domain'; those in `data` are task$"):
        parse_study({"base": "m", "data": DATA, "recipes": {"a": ["pretrain", "finetune"]}})
    with pytest.raises(SettingsError, match=r"there is no corpus 'domain'"):
        Study(base="m", data=DATA, recipes={"a": Recipe(stages=(Pretrain(), Finetune()))})


@pytest.mark.parametrize("value", [None, [], "text", 3])
def test_what_is_no_mapping_is_no_study(value: object) -> None:
    with pytest.raises(SettingsError, match="a study is a mapping"):
        parse_study(value)


def test_a_study_without_a_task_reads_no_labels_and_one_with_a_task_answers_it(tmp_path: Path) -> None:
    plain = {"base": "m", "data": {"domain": "a.txt"}, "recipes": {"once": ["pretrain"], "twice": ["pretrain", "pretrain"]}}
    file = tmp_path / "study.yaml"
    file.write_text(dump(plain))
    assert not any(recipe.answers for recipe in load_study(file).recipes.values())
    file.write_text(dump({**plain, "labels": [100]}))
    with pytest.raises(SettingsError, match=r"study\.yaml:\d+:\d+: labels: no recipe reads labels"):
        load_study(file)
    file.write_text(dump({**plain, "data": {"domain": "a.txt", **DATA}, "recipes": {"once": ["pretrain"], "other": ["finetune"]}}))
    with pytest.raises(SettingsError, match=r"recipes\.once: ends with pretrain; to be compared"):
        load_study(file)
    file.write_text(dump({**plain, "data": {"domain": "a.txt", **DATA}}))
    _, said = with_task(load_study(file))
    assert said is not None
    assert said.startswith("no recipe reads the `task`: models are compared by held-out text")
    file.write_text(dump({**plain, "data": DATA, "recipes": {"once": [{"pretrain": {"corpus": "task"}}]}}))
    with pytest.raises(SettingsError, match="no recipe answers the task; to be compared, a recipe ends with finetune"):
        with_task(load_study(file))


def held_out(recipes: object, **more: object) -> dict[str, object]:
    return {"base": "m", "data": {"domain": "a.txt", "task": {"kind": "perplexity", "on": "domain"}}, "recipes": recipes, **more}


def test_a_study_of_held_out_text_says_what_it_can_and_cannot_have(tmp_path: Path) -> None:
    study = parse_study(held_out({"plain": ["score"], "DAPT": ["pretrain", "score"]}))
    assert all(recipe.answers for recipe in study.recipes.values())
    written_out = {"reference": "plain", "metric": "bits_per_byte"}
    assert parse_study(resolved(study)).data == study.data
    assert {name: resolved(study)[name] for name in written_out} == written_out
    for wrong, why in (
        (held_out({"a": ["score"]}, labels=[100, "all"]), "labels: the task is of the kind perplexity, which has no labels to learn from"),
        (held_out({"a": ["pretrain"]}), "recipes.a: ends with pretrain; to be compared, a recipe ends with score$"),
        (held_out({"a": ["finetune"]}), "finetune does not learn tasks of the kind perplexity"),
        (held_out({"a": {"base": "tfidf"}}), "tfidf does not learn tasks of the kind perplexity"),
        (
            held_out({"a": [{"pretrain": {"corpus": "task"}}, "score"]}),
            "reads the text of the task, and one of the kind perplexity is there to judge by alone",
        ),
        (held_out({"a": ["score", "pretrain"]}), "score trains nothing: it answers the task, and is the last stage"),
        (held_out({"a": ["score"]}, metric="macro_f1"), "no score by which perplexity is compared.*bits_per_byte, loss, accuracy"),
        ({**held_out({"a": ["score"]}), "data": DATA}, "score does not answer tasks of the kind classify"),
        ({**held_out({}), "data": {**DATA, "tasks": {"b": {"kind": "perplexity", "on": {"x": "x.txt"}}}}}, "which nothing learns"),
        (
            {**held_out({"a": ["score"]}), "data": {"domain": "a.txt"}},
            r"reads it; held-out text is one, too: .task: .kind: perplexity, on: .domain",
        ),
    ):
        with pytest.raises(SettingsError, match=why):
            parse_study(wrong)


def test_a_study_without_a_task_is_one_of_held_out_text() -> None:
    recipes = {"a": ["pretrain"], "b": [{"prune": {"corpus": "general"}}, "pretrain"]}
    made = Study(base="m", data={"domain": "x.txt", "general": "y.txt"}, recipes=recipes)
    study, said = with_task(made)
    assert said is not None
    assert "`task: {kind: perplexity, on: [domain]}`" in said
    assert study.data.task.on == ("domain",)
    words = [[stage.word() for stage in recipe.stages] for recipe in study.recipes.values()]
    assert words == [["pretrain", "score"], ["prune", "pretrain", "score"]]
    assert with_task(study) == (study, None)
    with pytest.raises(SettingsError, match="no recipe is pretrained, so there is nothing by which recipes could be compared"):
        with_task(Study(base="m", data={"domain": "x.txt"}, recipes={"a": ["prune"]}))
    mixed = Study(base="m", data={"domain": "x.txt"}, recipes={"a": ["prune"], "b": ["pretrain"]})
    with pytest.raises(SettingsError, match="a: ends with prune; to be compared, a recipe ends with score"):
        refuse_incomplete(with_task(mixed)[0])


def test_a_study_without_a_task_names_scores_that_there_are() -> None:
    made = "data: {domain: x.txt}\nrecipes: {DAPT: [pretrain]}\nmetric: "
    assert of(made + "accuracy").metric == "accuracy"
    with pytest.raises(SettingsError, match=r"study\.yaml:3:1: metric: 'accuracies' is no score by which classify is compared"):
        of(made + "accuracies")


def test_a_study_is_named_after_its_file(tmp_path: Path) -> None:
    file = tmp_path / "contracts.yaml"
    file.write_text(STUDY)
    assert load_study(file).name == "contracts"
    file.write_text("name: mine\n" + STUDY)
    assert load_study(file).name == "mine"
    file.write_text("")
    with pytest.raises(SettingsError, match=r"contracts\.yaml:1:1: a study is a mapping"):
        load_study(file)


def test_settings_are_frozen_values() -> None:
    study = of(STUDY)
    with pytest.raises(ValueError, match="frozen"):
        study.seeds = 3  # type: ignore[misc]


def test_a_score_that_the_kind_of_task_does_not_have_is_said_where_it_stands() -> None:
    assert mistakes_in("[finetune]", "[finetune: {epochs: 2, select_by: f1}]") == [
        "study.yaml:10:37: recipes.fine-tune[0].finetune.select_by: 'f1' is no score by which classify is compared; "
        "those of classify are macro_f1, accuracy, micro_f1, mcc"
    ]
    (said,) = mistakes_in("{ngrams: 3}", "{select_by: loss}")
    assert ": recipes.trigrams.base.tfidf.select_by: 'loss' is no score" in said
