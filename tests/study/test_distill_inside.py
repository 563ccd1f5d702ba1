"""`distill: {hidden: ...}` in a study: what is refused, and what is computed once."""

import pytest
from tests.modeling.conftest import build_tiny, make_base
from tests.study.test_distill_study import SHORT, TEACHER, done, study

from acclimate.errors import SettingsError
from acclimate.files import digest_file
from acclimate.stages import teacher_inside
from acclimate.study.plan.prepared import prepare

pytestmark = pytest.mark.measured(1)


def student(base="random", *before, **settings):
    return {"base": base, "stages": [*before, {"distill": SHORT | {"teacher": "teacher", "evaluations": 1} | settings}]}


def sizes(**more):
    return {"random": {"layers": 2, "hidden": 16, "heads": 2} | more}


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (student({"layers_of": "teacher", "keep": 1}, hidden="layers"), "hidden: layers: a student of one layer has none below its last"),
        (student(sizes(layers=3), hidden="layers"), "hidden: layers: the student has more layers than its teacher"),
        (student(sizes(hidden=8), hidden="layers"), "states of the student are 8 wide, and those of teacher 16; `relations` compares"),
        (
            student("random", {"prune": {"corpus": "task", "size": 30}}, hidden="relations"),
            "hidden: relations compares token by token, and teacher has another vocabulary than the student",
        ),
        (student(hidden="relations", relation_heads=3), "relation_heads: 3 does not divide the widths of both, 16 and 16"),
        (student(relation_heads=4), "relation_heads: goes with `hidden: relations`"),
        (student(hidden="layers", gradient_checkpointing=True), "`gradient_checkpointing` would save nothing"),
    ],
)
def test_an_inside_that_cannot_be_compared_is_refused_before_anything_is_spent(tiny_world, tmp_path, recipe, said):
    with pytest.raises(SettingsError, match=rf"recipes\.student: .*{said}"):
        prepare(study(tiny_world, {"teacher": TEACHER, "student": recipe}), tmp_path, tmp_path / "store")


@pytest.mark.parametrize(
    ("family", "hidden", "said"),
    [
        ("deberta-v2", "relations", "hidden: relations: deberta-v2: .*; `hidden: layers` can do without"),
        ("albert", "layers", "hidden: layers: the layers of one of the two share their weights"),
    ],
)
def test_a_family_whose_inside_cannot_be_compared_is_refused(tiny_world, tmp_path, family, hidden, said):
    folder = make_base(tmp_path / family, build_tiny(family, "mlm")).folder
    recipes = {"teacher": {"base": str(folder), "stages": TEACHER}, "student": student(str(folder), hidden=hidden)}
    with pytest.raises(SettingsError, match=rf"recipes\.student: {said}"):
        prepare(study(tiny_world, recipes), tmp_path, tmp_path / "store")


def test_the_inside_of_a_teacher_is_computed_once_for_all_its_students(tiny_world, tmp_path, monkeypatch):
    asked, plain = [], teacher_inside._computed
    monkeypatch.setattr(teacher_inside, "_computed", lambda *of: counted(asked, of[2], plain(*of)))
    recipes = {
        "teacher": TEACHER,
        "as ever": student(),
        "layers": student(hidden="layers"),
        "layers, more": student(hidden="layers", hidden_weight=10, temperature=1),
        "relations": student(sizes(layers=1, hidden=8), hidden="relations"),
        "relations, wide": student(hidden="relations", relation_heads=8),
    }
    prepared = prepare(study(tiny_world, recipes), tmp_path, tmp_path / "store")
    nodes = done(prepared, tmp_path)
    assert asked == [[0], None]
    models = {digest_file(prepared.store.path(nodes[name][-1].key) / "model" / "model.safetensors") for name in recipes}
    assert len(models) == len(recipes)
    node = nodes["relations"][-1]
    given = prepared.plan.given[node.key]
    work = node.stage.work(given, prepared.readings.read_by(node, given.source))
    assert work.cache_bytes == pytest.approx(2 * 3 * 16 * work.tokens + 90 * 3 * 4, rel=0.05)


def counted(asked, layers, parts):
    # What is there already is never begun.
    asked.append(layers)
    yield from parts
