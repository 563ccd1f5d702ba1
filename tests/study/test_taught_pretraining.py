"""`pretrain: {teacher: ...}` in a study: what is refused, what its key is, and that a stopped one ends bitwise equal."""

import pytest
from tests.study.test_distill_study import done, study

from acclimate.errors import AcclimateError
from acclimate.files import digest_file
from acclimate.stages.pretrain import Pretrain
from acclimate.study.plan.graph import key_of
from acclimate.study.plan.prepared import prepare

pytestmark = pytest.mark.measured(0)

READ = {"tokens": 2000, "batch_tokens": 256, "head_warmup": 0.2, "patience": None, "lr": 1e-2, "max_length": 32}
END = {"finetune": {"epochs": 1, "min_steps": 0, "max_length": 32}}
DOMAIN = {"base": "random", "stages": [{"pretrain": READ}]}


def student(teacher, *before, **settings):
    small = {"random": {"layers": 1, "hidden": 8, "heads": 2}}
    return {"base": small, "stages": [*before, {"pretrain": READ | {"teacher": teacher} | settings}, END]}


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (student("student"), "goes in a circle: student needs student"),
        (student("bare"), r"teacher: bare has no head for masked words; let it learn one first"),
        (student("nobody"), "nobody.*nor is it a recipe"),
        (student("knows", {"prune": {"corpus": "task", "size": 30}}), "teacher: knows has another vocabulary than the student"),
        (student({"model": "knows", "weight": 0}), "weight: should be more than 0"),
        (student("knows", objective="tsdae"), "`teacher` goes with `objective: mlm`, and this is tsdae"),
    ],
)
def test_what_cannot_teach_words_is_refused_before_anything_is_spent(tiny_world, tmp_path, recipe, said):
    others = {"knows": DOMAIN, "bare": {"base": str(tiny_world / "model"), "stages": [END]}}
    recipes = {"student": recipe} | {name: other for name, other in others.items() if name in str(recipe)}
    with pytest.raises(AcclimateError, match=said):
        prepare(study(tiny_world, recipes), tmp_path, tmp_path / "store")


def test_what_a_teacher_is_called_is_no_part_of_the_key_and_how_much_it_counts_is():
    def key(**settings):
        return key_of(Pretrain(**settings), 0, ("text",), None, {})

    assert key(teacher="a") == key(teacher={"model": "b", "weight": 0.5}) != key()
    assert key(teacher={"model": "a", "weight": 0.6}) != key(teacher="a") != key(teacher={"model": "a", "likeliest": 8})


def test_a_small_model_learns_words_from_a_large_one_of_the_domain(tiny_world, tmp_path):
    recipes = {
        "knows": DOMAIN,
        "alone": {**student("knows"), "stages": [{"pretrain": READ}, END]},
        "taught": student("knows"),
        "by a folder": student({"model": str(tiny_world / "model"), "weight": 1.0}),
    }
    with pytest.raises(AcclimateError, match=r"recipes\.by a folder: teacher: .*model has no head for masked words"):
        prepare(study(tiny_world, recipes), tmp_path, tmp_path / "store")
    del recipes["by a folder"]
    prepared = prepare(study(tiny_world, recipes), tmp_path, tmp_path / "store")
    assert list(prepared.study.compared) == ["alone", "taught"]  # the teacher answers nothing
    nodes = done(prepared, tmp_path)
    taught, alone = nodes["taught"][-2], nodes["alone"][-2]
    assert (taught.title, taught.beside[0][0]) == ("taught: pretrain on domain, taught by knows", "knows")
    model = {
        name: digest_file(prepared.store.path(node.key) / "model" / "model.safetensors") for name, node in (("a", alone), ("t", taught))
    }
    assert len(set(model.values())) == 2
    given = {node.title: prepared.plan.given[node.key] for node in (taught, alone)}
    reads = {node.title: prepared.readings.read_by(node, given[node.title].source) for node in (taught, alone)}
    work = [node.stage.work(given[node.title], reads[node.title]).operations for node in (taught, alone)]
    assert work[0] > 1.3 * work[1]
