"""`prompt` on decoders: examples of the seed, calibrated answers that plain transformers gives by the card, and what the plan refuses."""

import contextlib
import io
import json

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.stages.test_every_stage import context
from tests.stages.test_finetune_decoders import a_world
from tests.stages.test_label_words import given as encoder  # noqa: F401

from acclimate.data.tokens import plain
from acclimate.errors import SettingsError
from acclimate.evaluation.predictor import load_predictor
from acclimate.files import write_json
from acclimate.modeling.base_files import CONFIG, KIND, TEMPLATE
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.label_prompt import DEFAULTS
from acclimate.report.pages import prompt_use
from acclimate.stages.planned import Sizes
from acclimate.stages.prompt import Prompt
from acclimate.stages.prompted import drawn, examples_of
from acclimate.study.plan import graph
from acclimate.study.plan.readings import Readings

NAMES = {"low": "w26", "high": ["w29 w28", "w27"]}
TEMPLATES = {"classify": "{text} w29 {mask} w27", "pair": "{text} w28 {text_b} w29 {mask}"}


def tried(kind, **settings):
    return Prompt(template=TEMPLATES[kind], names=NAMES, **settings)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return a_world(tmp_path_factory.mktemp("classify"), "gpt2", "classify")


@pytest.mark.parametrize("kind", ["classify", "pair"])
def test_answers_equal_those_of_plain_transformers_by_the_card(kind, world, tmp_path, monkeypatch):
    world = world if kind == "classify" else a_world(tmp_path, "qwen3", kind)
    stage = tried(kind, shots=3, max_length=48).settled(Sizes.of(world.source))
    here = context(world, tmp_path / "asked")
    outcome = stage.run(world.parent, here)
    assert len(outcome.metrics["examples"]) == 3
    assert sum(outcome.metrics["content_free"].values()) == pytest.approx(1)
    output, test = here.output / "model", world.data.task.test
    write_json(output / CONFIG, ModelFolder(output).config | {KIND: kind})  # as a model is handed over
    answered = [row for row in pq.read_table(here.output / "predictions.parquet").to_pylist() if row["split"] == "test"]
    model = load_predictor(output)
    found = model.probabilities(*(list(column[:4]) for column in test.inputs))
    assert model.labels == ("high", "low")
    np.testing.assert_allclose(found, [row["probabilities"] for row in answered[:4]], atol=1e-6)
    written = ModelFolder(output).config[TEMPLATE]
    assert written["examples"].count("w29 ") >= 3
    monkeypatch.chdir(output)
    for row in range(4):
        code = prompt_use.told_of(written, 48)["plain_use"]
        for example, column in (("a text to label", 0), ("the first text", 0), ("the second text", -1)):
            code = code.replace(json.dumps(example), json.dumps(test.inputs[column][row]))
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(code, {})
        np.testing.assert_allclose(found[row], list(eval(printed.getvalue()).values()), atol=1e-5)
    assert np.ptp(found, axis=0).max() > 1e-3, "an answer that never changes would equal anything"


def test_examples_are_balanced_drawn_by_the_seed_and_cut_to_their_part(world):
    gold = np.array([0] * 20 + [1] * 3 + [2] * 7)
    for shots in (3, 6, 9):
        assert np.ptp(np.bincount(gold[drawn(gold, shots, 1)], minlength=3)) == 0
    assert sorted(drawn(gold, 99, 1)) == list(range(30))
    assert set(drawn(gold, 4, 1)) < set(drawn(gold, 7, 1))
    assert drawn(gold, 6, 1).tolist() == drawn(gold, 6, 1).tolist() != drawn(gold, 6, 2).tolist()
    task, tokenizer = world.data.task, plain(world.parent.tokenizer())
    prompt = tried("classify")._prompt(task)
    made = examples_of(tokenizer, prompt, task.train, 3, 48, 0)
    rows = [int(np.flatnonzero(task.train.index == row)[0]) for row in made.rows]
    assert sorted(np.bincount(np.asarray(task.train.gold)[rows]).tolist()) == [1, 2]
    blocks = made.text.split(" w27")[:3]
    for row, block in zip(rows, blocks, strict=True):
        words = block.split(" w29 ")[0].split()
        assert words == task.train.inputs[0][row].split()[: len(words)]
        assert len(words) >= 5 or words == task.train.inputs[0][row].split()
    assert made.cut == sum(len(task.train.inputs[0][row].split()) != len(block.split(" w29 ")[0].split())
                           for row, block in zip(rows, blocks, strict=True)) > 0  # fmt: skip
    assert len(tokenizer.encode(made.text, add_special_tokens=False).ids) <= 3 * (47 // 4)


def test_shots_are_part_of_the_computation_and_defaults_leave_no_trace(world):
    assert {"shots", "calibrate"}.isdisjoint(Prompt().keyed())
    given = Sizes.of(world.source)
    assert Prompt().settled(given) == Prompt(calibrate=True).settled(given) != Prompt(calibrate=False).settled(given)
    assert Prompt(shots=4).reads() == ("labels",)
    assert Prompt(shots=4).draws()
    assert not Prompt().draws()
    assert Prompt(shots=4).title() == "prompt, 4 shots"


def test_the_plan_refuses_what_cannot_be_asked_and_tells_what_it_costs(world, encoder):  # noqa: F811
    decoder, task = Sizes.of(world.source), world.data.task
    for settings, said in (
        ({"template": "{mask} {text}"}, r"prompt: template: .* \{text\} stands behind \{mask\}"),
        ({"names": {"low": "w1", "high": "nowhere"}}, "'nowhere' is no word of this model's vocabulary"),
        ({"shots": 81}, "shots: 81 examples were asked for, and there are 80 training texts"),
        ({"shots": 5, "max_length": 48}, r"shots: 5 examples and a text have 7 tokens each of max_length 48, .* `shots: \d` or fewer"),
        ({"max_length": 8, "template": "{text} w1 w2 w3 w4 w5 w6 {mask}"}, "no text has room"),
        ({"max_length": 49}, "49 is more than the 48 positions"),
    ):
        stage = tried("classify").model_copy(update=settings)
        with pytest.raises(SettingsError, match=said):
            stage.check(decoder, task)
    for settings in ({"shots": 4}, {"calibrate": True}):
        with pytest.raises(SettingsError, match="bert is an encoder, which fills the mask of one text"):
            Prompt(**settings).settled(encoder)
    assert Prompt(calibrate=False).settled(encoder).calibrate is False
    stage = tried("classify", shots=1, max_length=40).settled(decoder)
    assert stage.check(decoder, task) == decoder
    reads = Readings(world.data).read_by(graph.Node("key", stage, "parent", 0, "all", "", ()), world.source)
    few = Readings(world.data).read_by(graph.Node("key", tried("classify"), "parent", 0, "all", "", ()), world.source)
    assert stage.work(decoder, reads).operations > tried("classify").work(decoder, few).operations > 0
    assert stage.notes(decoder, lambda: reads) == ("prompt: 1 examples show 1 of 2 labels",)
    tight = tried("classify", shots=3, max_length=48)
    assert "3 examples of at most 11 tokens each" in tight.notes(decoder, lambda: reads)[0]


def test_a_pair_has_a_template_of_its_own_where_a_model_reads_from_left_to_right():
    assert DEFAULTS[2].index("{text_b}") < DEFAULTS[2].index("{mask}")
