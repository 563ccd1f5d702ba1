"""`kind: generate`: a tiny decoder learns answers to prompts and to conversations, and what cannot be written is refused in the plan."""

import io
import json
import random
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from tests.modeling.conftest import build_tiny, make_base
from tests.stages.test_every_stage import World, context
from tests.study.conftest import write_jsonl
from transformers import AutoModelForCausalLM, AutoTokenizer

from acclimate.data.readers.every_text import AskedFiles, every_text
from acclimate.data.readers.one_split import open_one
from acclimate.errors import DataError, ModelError, SettingsError
from acclimate.evaluation.apply import evaluate_file, predict_file
from acclimate.evaluation.predictor import load_predictor
from acclimate.files import write_json
from acclimate.modeling.base_files import CONFIG, KIND, NEW_TOKENS
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.source import resolve_base
from acclimate.stages import BASES
from acclimate.stages.finetune import Finetune
from acclimate.stages.planned import Sizes
from acclimate.stages.score import Score
from acclimate.study.plan import graph
from acclimate.study.plan.readings import Readings
from acclimate.tasks.generate import Generate
from acclimate.tasks.opened import Data, DataSettings

# `[MASK]` begins a turn and `[SEP]` ends it, for each is one token.
TEMPLATE = """\
{% for m in messages %}[MASK] {{ m.role }} {{ m.content }} [SEP] {% endfor %}
{% if add_generation_prompt %}[MASK] assistant {% endif %}"""


def a_world(folder, chat, model="qwen3"):
    """A decoder, and prompts whose answer follows from one of their words."""
    rng = random.Random(0)

    def row(_):
        low = rng.random() < 0.5
        words = " ".join(f"w{rng.randrange(*((0, 15) if low else (30, 45)))}" for _ in range(rng.randint(2, 6)))
        answer = "w50 w51" if low else "w52"
        if not chat:
            return {"prompt": words, "completion": answer}
        return {"messages": [{"role": "user", "content": words}, {"role": "assistant", "content": answer}]}

    task = {"kind": "generate", "duplicates": "keep"}
    for split, count in (("train", 96), ("dev", 16), ("test", 16)):
        write_jsonl(folder / f"{split}.jsonl", map(row, range(count)))
        task[split] = str(folder / f"{split}.jsonl")
    data = Data.open(DataSettings.model_validate({"task": task}), folder, folder / "rejects")
    place = make_base(folder / "base", build_tiny(model, "mlm")).folder
    if chat:
        (place / "chat_template.jinja").write_text(TEMPLATE)
    source = resolve_base(str(place), place)
    world = World(folder, source, data)
    (start,) = (stage for stage in BASES if stage.role == "start")
    start.of(source, random=False).run(None, context(world, folder / "start"))
    return replace(world, parent=ModelFolder(folder / "start" / "output" / "model"))


LEARN = {"lr": 1e-2, "epochs": 6, "min_steps": 0, "batch_size": 16, "max_new_tokens": 4, "max_length": 40}


@pytest.mark.parametrize("chat", [False, True], ids=["completions", "conversations"])
def test_answers_are_learned_written_and_judged(chat, tmp_path):
    world = a_world(tmp_path, chat)
    task, stage, given = world.data.task, Finetune(**LEARN), Sizes.of(world.source)
    assert task.kind.chat == chat
    assert stage.check(given, task).classifier is None
    here = context(world, tmp_path / "tuned")
    outcome = stage.run(world.parent, here)
    assert outcome.metrics["test_exact_match"] > 0.8
    assert outcome.metrics["lost_answers_train"] == 0
    before = Score(max_new_tokens=4, max_length=40)
    assert before.check(given, task) == given
    as_it_is = before.run(world.parent, context(world, tmp_path / "asked"))
    assert as_it_is.metrics["test_bits_per_byte"] > 2 * outcome.metrics["test_bits_per_byte"]
    assert as_it_is.metrics["test_exact_match"] < 0.2
    rows = [row for row in pq.read_table(here.output / "predictions.parquet").to_pylist() if row["split"] == "test"]
    assert [row["gold"] for row in rows] == list(task.test.gold)
    assert np.mean([row["predicted"] == row["gold"] for row in rows]) == outcome.metrics["test_exact_match"]
    output = here.output / "model"
    assert (output / "chat_template.jinja").is_file() == chat
    write_json(output / CONFIG, ModelFolder(output).config | {KIND: "generate"})  # as a model is handed over
    model = load_predictor(output)
    prompts = [json.loads(prompt) if chat else prompt for prompt in task.test.inputs[0]]
    answers = model.answers(prompts)
    assert [each.answer for each in answers] == [row["predicted"] for row in rows]
    assert all(each.ended for each in answers)
    if chat:  # a text alone is what its user says
        assert model.answers([each[0]["content"] for each in prompts]) == answers
    assert as_transformers_writes(output, prompts[:4], chat) == [each.answer for each in answers[:4]]
    test, said = tmp_path / "test.jsonl", []
    judged = evaluate_file(output, str(test), {}, said.append)
    for name in ("exact_match", "token_f1", "rouge_l", "bits_per_byte"):
        assert judged[name] == pytest.approx(outcome.metrics[f"test_{name}"], rel=1e-5)
    predict_file(output, AskedFiles(path=str(test)), tmp_path / "answers.jsonl", io.BytesIO(), said.append)
    written = [json.loads(line) for line in (tmp_path / "answers.jsonl").read_text().splitlines()]
    assert written == [{"index": row, **each._asdict()} for row, each in enumerate(answers)]
    with pytest.raises(SettingsError, match=r"gives no probabilities: say answers\(prompts\)"):
        model.probabilities(prompts)
    with pytest.raises(TypeError, match="put it into a list"):
        model.answers("w1")
    write_json(output / CONFIG, ModelFolder(output).config | {NEW_TOKENS: 40})
    with pytest.raises(ModelError, match="acclimate_max_new_tokens is 40; an answer has one token at least, and fewer than 40"):
        load_predictor(output)


def as_transformers_writes(folder, prompts, chat):
    """Greedily, one by one, from the folder alone."""
    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    texts = [tokenizer.apply_chat_template(each, tokenize=False, add_generation_prompt=True) for each in prompts] if chat else prompts
    found = []
    for text in texts:
        ids = tokenizer.convert_tokens_to_ids(["[CLS]", *tokenizer.tokenize(text)])
        written = model.generate(torch.tensor([ids]), max_new_tokens=4, do_sample=False, eos_token_id=[2, 3, 4])[0, len(ids) :]
        found.append(tokenizer.decode(written, skip_special_tokens=True).strip())
    return found


def test_weights_are_chosen_by_a_written_score_where_one_is_named(tmp_path):
    world = a_world(tmp_path, False, "gpt2")
    outcome = Finetune(**LEARN | {"epochs": 2, "select_by": "rouge_l", "train": {"lora": {"rank": 2}}}).run(
        world.parent, context(world, tmp_path / "tuned")
    )
    assert outcome.log[-1]["dev_rouge_l"] == outcome.log[-1]["score"]


def test_the_plan_refuses_what_cannot_be_written_and_tells_what_is_cut(tmp_path):
    world = a_world(tmp_path, False)
    given, task = Sizes.of(world.source), world.data.task
    for settings, said in (
        ({"head": "vector"}, "head: generate has no labels, but answers that are written"),
        ({"class_weights": "balanced"}, "class_weights: generate has no labels"),
        ({"long": "windows"}, "long: generate has no labels"),
        ({"train": "head"}, "train: generate has no head of its own"),
        ({"train": 9, "max_new_tokens": 4}, "train: 9 layers were asked for"),
        ({"max_new_tokens": 40, "max_length": 40}, "max_new_tokens: 40 leave no room for a prompt in 40 tokens"),
    ):
        with pytest.raises(SettingsError, match=said):
            Finetune(**settings).check(given, task)
    encoder = Sizes.of(make_base(tmp_path / "encoder", build_tiny("bert", "mlm")))
    for stage in (Finetune(), Score()):
        with pytest.raises(SettingsError, match=f"{stage.word()}: .* is an encoder .*generate needs a decoder"):
            stage.check(encoder, task)
    (tmp_path / "chat").mkdir()
    with pytest.raises(DataError, match="has no chat template"):
        Finetune(max_new_tokens=4).check(given, a_world(tmp_path / "chat", True).data.task)
    stage = Finetune(**LEARN | {"max_length": 8, "max_new_tokens": 4})
    reads = Readings(world.data).read_by(graph.Node("key", stage, "parent", 0, "all", "", ()), world.source)
    assert stage.work(given, reads).operations > Score(max_new_tokens=4).work(given, reads).operations > 0
    assert any("train prompts leave too little of 8 tokens" in note for note in stage.notes(given, lambda: reads))
    tight = stage.model_copy(update={"max_length": 4, "max_new_tokens": 2})
    with pytest.raises(DataError, match="of the answer is left in 4 tokens"):
        tight.run(world.parent, context(world, tmp_path / "lost"))


def test_conversations_to_answer_may_end_with_an_answer_already_and_what_is_none_gets_a_problem(tmp_path):
    user, answer = {"role": "user", "content": "w1"}, {"role": "assistant", "content": "w2", "more": 1}
    write_jsonl(tmp_path / "asked.jsonl", [{"messages": each} for each in ([user], [user, answer], [answer], "w1", [{"role": "user"}])])
    source = open_one(str(tmp_path / "asked.jsonl"), tmp_path, AskedFiles(path="x").reading, None)
    for stated in ({}, {"text": "messages"}):
        rows = [*every_text(source, Generate.asked(source, stated))]
        assert [row.texts for row in rows[:2]] == [('[{"role": "user", "content": "w1"}]',)] * 2
        assert all(row.texts is None for row in rows[2:])
        assert "asked.jsonl:3: 'messages' is no list of a message or more" in rows[2].problem
        assert "has as message 1 no `role` and `content`" in rows[4].problem


def test_conversations_that_are_none_are_refused(tmp_path):
    user, answer = {"role": "user", "content": "w1"}, {"role": "assistant", "content": "w2"}
    for messages, said in (
        ("w1", "is no list of two messages"),
        ([user], "is no list of two messages"),
        ([user, {"role": "assistant"}], "has as message 2 no `role` and `content`"),
        ([{"role": "pirate", "content": "w1"}, answer], "has the role 'pirate' in message 1"),
        ([user, answer, user], "ends with a message of 'user'"),
        ([user, {**answer, "content": " "}], "ends with an empty answer"),
    ):
        write_jsonl(tmp_path / "all.jsonl", [{"messages": [user, answer]}] * 30 + [{"messages": messages}])
        with pytest.raises(DataError, match=rf"all\.jsonl:31: 'messages' {said}"):
            Data.open(DataSettings.model_validate({"task": {"kind": "generate", "path": "all.jsonl"}}), tmp_path, None)
    with pytest.raises(ValueError, match="`messages` holds prompt and answer"):
        DataSettings.model_validate({"task": {"kind": "generate", "path": "x", "messages": "a", "prompt": "b"}})
