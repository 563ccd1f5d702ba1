"""`finetune` on decoders: the last token answers for the text, as in transformers' own classes, also where nothing is there to pad with."""

import json
import random
from dataclasses import replace

import pytest
import torch
from tests.modeling.conftest import build_tiny, make_base
from tests.stages.test_every_stage import World, context
from tests.study.conftest import write_jsonl
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from torch.nn.utils.rnn import pad_sequence
from transformers import AutoModelForSequenceClassification

from acclimate.data.model_inputs import sequences_of
from acclimate.data.ragged import offsets_of
from acclimate.data.tokens import TokenStore
from acclimate.errors import DataError, SettingsError
from acclimate.evaluation.predictor import load_predictor
from acclimate.files import write_json
from acclimate.modeling.base_files import CONFIG, KIND
from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.source import resolve_base
from acclimate.report.pages.decoder_use import TAGS
from acclimate.stages import BASES
from acclimate.stages.distill import Distill
from acclimate.stages.finetune import Finetune
from acclimate.stages.planned import Sizes
from acclimate.tasks.opened import Data, DataSettings

# What stands in a tokenizer.json for `[CLS] A [SEP] B [SEP]`.
PAIR = [
    *({"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}),
    *({"SpecialToken": {"id": "[SEP]", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}),
    {"SpecialToken": {"id": "[SEP]", "type_id": 1}},
]


def a_world(folder, name, kind):
    """A tiny decoder, and texts or pairs whose label is told by a word in them; GPT-2 has no token for padding, and none around texts."""
    rng = random.Random(0)

    def row():
        label = rng.choice(["low", "high"])
        text = " ".join(f"w{rng.randrange(*((0, 20) if label == 'low' else (30, 50)))}" for _ in range(rng.randint(2, 9)))
        return {"text": text, "label": label} if kind == "classify" else {"text": "w25 w26", "text_b": text, "label": label}

    for split, count in (("train", 80), ("dev", 30), ("test", 30)):
        write_jsonl(folder / f"{split}.jsonl", [row() for _ in range(count)])
    task = {"kind": kind, **{split: str(folder / f"{split}.jsonl") for split in ("train", "dev", "test")}}
    data = Data.open(DataSettings.model_validate({"task": task}), folder, folder / "rejects")
    place = make_base(folder / "base", build_tiny(name, "mlm", **({"pad_token_id": None} if name == "gpt2" else {}))).folder
    said = json.loads((place / "tokenizer.json").read_text())
    said["post_processor"] = None if name == "gpt2" else {**said["post_processor"], "pair": PAIR}
    (place / "tokenizer.json").write_text(json.dumps(said))
    source = resolve_base(str(place), place)
    world = World(folder, source, data)
    (start,) = (stage for stage in BASES if stage.role == "start")
    start.of(source, random=False).run(None, context(world, folder / "start"))
    return replace(world, parent=ModelFolder(folder / "start" / "output" / "model"))


@pytest.mark.measured(0)
@pytest.mark.parametrize(("name", "kind"), [("gpt2", "classify"), ("qwen3", "pair")])
def test_what_was_learned_is_what_plain_transformers_answers_to_padded_batches(name, kind, tmp_path):
    world = a_world(tmp_path, name, kind)
    stage = Finetune(lr=1e-2, epochs=4, min_steps=0, batch_size=16, train="all" if kind == "classify" else 2)
    given = Sizes.of(world.source)
    assert stage.check(given, world.data.task).classifier.names == ("high", "low")
    here = context(world, tmp_path / "tuned")
    outcome = stage.run(world.parent, here)
    assert outcome.metrics["test_accuracy"] > 0.8
    output = here.output / "model"
    write_json(output / CONFIG, ModelFolder(output).config | {KIND: kind})  # as a model is handed over
    assert ModelFolder(output).parts == {"encoder", "mlm", "classifier"}
    columns = [list(column[:12]) for column in world.data.task.test.inputs]
    found = load_predictor(output).probabilities(*columns)
    plain, info = AutoModelForSequenceClassification.from_pretrained(output, output_loading_info=True)
    assert not info["missing_keys"]
    pad = plain.config.pad_token_id
    assert pad == (3 if name == "gpt2" else 0)
    asked = columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))
    ids = [torch.tensor(encoded.ids) for encoded in ModelFolder(output).tokenizer().encode_batch(asked)]
    for side in ("left", "right"):
        rows = pad_sequence(ids, True, pad, side)
        mask = pad_sequence([torch.ones_like(row) for row in ids], True, 0, side)
        with torch.no_grad():
            logits = plain.eval()(input_ids=rows, attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp(min=0)).logits
        torch.testing.assert_close(torch.from_numpy(found).float(), logits.softmax(-1), rtol=1e-4, atol=1e-5)
    if name == "gpt2":
        metrics, student = taught(world, stage, ModelFolder(output), tmp_path / "student")
        assert metrics["test_accuracy"] > 0.8
        assert student.config["pad_token_id"] == 3


def taught(world, stage, teacher, folder):
    """What a student of the same base learns from a model that `stage` has trained."""
    given, task = Sizes.of(world.source), world.data.task
    given = replace(given, beside={"teacher": stage.check(given, task)})
    distill = Distill(
        teacher="teacher", lr=1e-2, epochs=4, min_steps=0, batch_size=16, evaluations=2, alpha=1.0, max_length=stage.max_length
    )
    learned = distill.check(given, task)
    assert learned.classifier.names == stage.check(given, task).classifier.names
    with pytest.raises(SettingsError, match=r"hidden: relations compares encoders"):
        distill.model_copy(update={"hidden": "relations"}).check(given, task)
    here = context(replace(world, teacher=teacher), folder)
    return distill.run(world.parent, here).metrics, ModelFolder(here.output / "model")


def a_world_of_words(folder, name):
    """Words of several pieces, tagged by their last letter: a first piece cannot know."""
    rng = random.Random(0)
    place = make_base(folder / "base", build_tiny(name, "mlm", vocab_size=320, **({"pad_token_id": None} if name == "gpt2" else {}))).folder
    bytes_ = Tokenizer(models.BPE())
    bytes_.pre_tokenizer, bytes_.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    bytes_.train_from_iterator([], trainers.BpeTrainer(vocab_size=256, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    bytes_.save(str(place / "tokenizer.json"))

    def row():
        words = ["".join(rng.choices("abc", k=rng.randint(1, 3))) + rng.choice("xz") for _ in range(rng.randint(1, 12))]
        return {"tokens": words, "tags": ["B-odd" if word.endswith("z") else "O" for word in words]}

    for split, count in (("train", 80), ("dev", 20), ("test", 20)):
        write_jsonl(folder / f"{split}.jsonl", [row() for _ in range(count)])
    task = {"kind": "tag", "duplicates": "keep", **{split: str(folder / f"{split}.jsonl") for split in ("train", "dev", "test")}}
    data = Data.open(DataSettings.model_validate({"task": task}), folder, folder / "rejects")
    source = resolve_base(str(place), place)
    world = World(folder, source, data)
    (start,) = (stage for stage in BASES if stage.role == "start")
    start.of(source, random=False).run(None, context(world, folder / "start"))
    return replace(world, parent=ModelFolder(folder / "start" / "output" / "model"))


@pytest.mark.parametrize(("name", "subwords"), [("gpt2", "all"), ("llama", "last")])
def test_a_words_last_piece_answers_for_it_as_the_card_of_the_folder_does_with_plain_transformers(name, subwords, tmp_path, capsys):
    world = a_world_of_words(tmp_path, name)
    stage = Finetune(lr=1e-2, epochs=8, min_steps=0, batch_size=16, max_length=24, subwords=subwords)
    assert stage.check(Sizes.of(world.source), world.data.task).classifier.form == "tokens"
    here = context(world, tmp_path / "tuned")
    outcome = stage.run(world.parent, here)
    assert outcome.metrics["test_entity_f1"] > 0.95  # what stands before the last piece tells nothing
    assert outcome.metrics["overlapping_texts_test"] > 0
    output = here.output / "model"
    text = "abz cx bacbacz ax z"
    found = load_predictor(output).entities([text])[0]
    assert [entity.text for entity in found] == ["abz", "bacbacz", "z"]
    exec(TAGS["plain_use"].replace('folder = "."', f'folder = "{output}"').replace("a text to tag", text), {})
    said = dict(line.split() for line in capsys.readouterr().out.splitlines())
    assert said == {word: "B-odd" if word.endswith("z") else "O" for word in text.split()}
    if name == "llama":
        metrics, student = taught(world, stage, ModelFolder(output), tmp_path / "student")
        assert metrics["test_entity_f1"] > 0.95
        assert student.by_last_piece


def test_tags_that_a_decoder_cannot_learn_are_refused(tmp_path):
    world = a_world_of_words(tmp_path, "llama")
    given, task = Sizes.of(world.source), world.data.task
    with pytest.raises(SettingsError, match=r"subwords: .* the first piece of a word has not seen the rest of it; say `last`"):
        Finetune(subwords="first").check(given, task)
    none = Sizes.of(make_base(tmp_path / "gemma", build_tiny("gemma3_text", "mlm")))
    with pytest.raises(SettingsError, match=r"gemma3_text.*for which transformers has no class that answers every word"):
        Finetune().check(none, task)
    encoder = Sizes.of(make_base(tmp_path / "bert", build_tiny("bert", "mlm")))
    with pytest.raises(SettingsError, match="subwords: last: an encoder answers for a word by its first piece"):
        Finetune(subwords="last").check(encoder, task)


def test_a_head_for_masked_words_is_refused(tmp_path):
    world = a_world(tmp_path, "qwen3", "classify")
    given = Sizes.of(world.source)
    with pytest.raises(SettingsError, match=r"head: mlm: .* is a decoder"):
        Finetune(head={"mlm": {"template": "{text} {mask}", "names": {"low": "w1", "high": "w2"}}}).check(given, world.data.task)


def test_a_text_without_a_token_is_refused_where_nothing_stands_around_it(tmp_path):
    tokenizer = a_world(tmp_path, "gpt2", "classify").parent.tokenizer()
    store = TokenStore(torch.tensor([7, 8, 9]).numpy().astype("uint16"), offsets_of([2, 0, 1]))
    with pytest.raises(DataError, match=r"1 of 3 texts have no token \(the first is number 2"):
        sequences_of([store], tokenizer, 8)
