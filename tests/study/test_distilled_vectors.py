"""`distill_vectors` in a study: sentence encoders of several widths learn the vectors of one, which is asked once."""

import json

import numpy as np
import pytest
from sentence_transformers import SentenceTransformer
from sklearn.decomposition import PCA
from tests.study.test_distill_study import done, measured, study

from acclimate.errors import AcclimateError
from acclimate.randomness import generator
from acclimate.stages import distilling_vectors
from acclimate.study.plan.prepared import prepare

pytestmark = pytest.mark.measured(0)


def student(hidden=8, *after, **settings):
    small = {"random": {"layers": 1, "hidden": hidden, "heads": 2}}
    learned = {"teacher": "teacher", "epochs": 4, "min_steps": 0, "evaluations": 2, "lr": 1e-2, "dropout": 0.0, "max_length": 32}
    return {"base": small, "stages": [{"distill_vectors": learned | settings}, *after]}


def test_students_of_any_width_learn_the_vectors_of_a_teacher_that_is_asked_once(tiny_world, tmp_path, monkeypatch):
    asked, plain = [], distilling_vectors.load_embedder
    monkeypatch.setattr(
        distilling_vectors, "load_embedder", lambda folder, *of, **how: asked.append(folder.path) or plain(folder, *of, **how)
    )
    recipes = {"teacher": ["vectors"]} | {f"{width}": student(width, "vectors") for width in (8, 16, 32)}
    prepared = prepare(study(tiny_world, recipes), tmp_path, tmp_path / "store")
    nodes = done(prepared, tmp_path)
    place = {name: prepared.store.path(nodes[name][-1].key) / "model" for name in recipes}
    assert [path.samefile(place["teacher"]) for path in asked].count(True) == 1

    # The same by sentence-transformers and scikit-learn, from the folders alone.
    texts = [json.loads(line)["text"] for line in (tiny_world / "domain.jsonl").read_text().splitlines()]
    wanted = SentenceTransformer(str(place["teacher"])).encode(texts)
    held = np.sort(generator("held-out texts").permutation(300)[:30])
    learned = np.setdiff1d(np.arange(300), held)
    for name in ("8", "16", "32"):
        facts = measured(prepared, nodes[name][-2])["metrics"]
        goal = wanted
        if name == "8":
            fitted = PCA(8).fit(wanted[learned].astype(np.float64))
            signs = np.sign(fitted.components_[np.arange(8), np.abs(fitted.components_).argmax(axis=1)])
            goal = wanted @ (fitted.components_ * signs[:, None]).T
            goal = goal / np.linalg.norm(goal, axis=1, keepdims=True)
        vectors = SentenceTransformer(str(prepared.store.path(nodes[name][-2].key) / "model")).encode(texts)
        assert vectors.shape == goal.shape
        apart = float(np.square(vectors[held] - goal[held]).sum(axis=1).mean())
        assert facts["heldout_loss_after"] == pytest.approx(apart, rel=1e-3)
        assert facts["heldout_loss_after"] < 0.7 * facts["heldout_loss_before"]
        assert (facts["heldout_texts"], facts["transfer_items"], facts["teacher_dimensions"]) == (30, 270, 16)
        assert facts["steps"] == 4 * 5
    assert measured(prepared, nodes["8"][-2])["metrics"]["variance_kept"] < 1
    node = nodes["32"][-2]
    work = node.stage.work(prepared.plan.given[node.key], prepared.readings.read_by(node, prepared.plan.given[node.key].source))
    assert work.cache_bytes == 4 * 16 * 300
    assert work.tokens == pytest.approx(measured(prepared, node)["metrics"]["tokens"], rel=0.05)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"teacher": "student"}, "goes in a circle: student needs student"),
        ({"teacher": "words"}, "words is a plain baseline, and what is needed here is a transformer"),
        ({"corpus": "nowhere"}, "there is no corpus 'nowhere'"),
        ({"texts": 9}, r"recipes\.student: distill_vectors: 9 texts of domain are too few: a tenth is held out"),
    ],
)
def test_what_cannot_be_learned_is_refused_before_anything_is_spent(tiny_world, tmp_path, settings, said):
    recipes = {"teacher": ["vectors"], "words": {"base": "tfidf"}, "student": student(8, "vectors", **settings)}
    with pytest.raises(AcclimateError, match=said):
        prepare(study(tiny_world, recipes), tmp_path, tmp_path / "store")
