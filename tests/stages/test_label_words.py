"""What the plan says of `head: mlm` and `prompt`: which models, tasks, templates and words are refused, and what is told of words."""

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError
from tests.modeling.conftest import build_tiny, make_base
from tests.tasks.test_every_kind import EXAMPLES, name_of, opened, records

from acclimate.errors import SettingsError
from acclimate.modeling.base_files import TOKENIZER, read_tokenizer
from acclimate.modeling.fast_paths import FastPaths
from acclimate.modeling.head_settings import HeadSettings, MlmHead
from acclimate.modeling.label_words import Cloze
from acclimate.modeling.named import packaged_base
from acclimate.modeling.source import resolve_base
from acclimate.stages.finetune import Finetune
from acclimate.stages.planned import Reads, Sizes
from acclimate.stages.prompt import Prompt
from acclimate.tasks import KINDS

WORDS = {"a": "good", "b": "bad", "c": "new"}
SINGLE, PAIR = "{text} It was {mask}.", "{text} ? {mask} , {text_b}"


@pytest.fixture(scope="module")
def given():
    return Sizes.of(resolve_base(str(packaged_base("acclimate-tiny")), packaged_base("acclimate-tiny")))


@pytest.fixture(scope="module")
def tasks(tmp_path_factory):
    """A task of every kind that learns, by its name."""
    found = {}
    for kind in (each for each in KINDS if each.learned):
        root = tmp_path_factory.mktemp(name_of(kind))
        (root / "all.jsonl").write_text("".join(json.dumps(row) + "\n" for row in records(EXAMPLES[name_of(kind)])))
        found[name_of(kind)] = opened(kind, root)
    return found


def both(template: str | None = None, **names: Any):
    head = {"template": template, "names": names or WORDS}
    return Finetune(head={"mlm": head}), Prompt(**head)


def test_mlm_alone_is_short_for_its_defaults_and_a_fresh_head_is_written_as_before():
    short = Finetune(head="mlm")
    assert short.head == Finetune(head={"mlm": {}}).head == Finetune(head={"mlm": None}).head == HeadSettings(mlm=MlmHead())
    assert short.model_dump(mode="json")["head"] == {"mlm": {"template": None, "names": {}}}
    assert HeadSettings.model_validate(short.model_dump(mode="json")["head"]) == short.head
    assert Finetune().model_dump(mode="json")["head"] == {"layers": 1, "hidden": None, "dropout": 0.1}
    with pytest.raises(ValidationError, match="`layers` is said of a fresh classifier, and `mlm` is the head for masked words"):
        HeadSettings.model_validate({"mlm": {}, "layers": 2})
    with pytest.raises(ValidationError, match=r"no place for \{mask\}"):
        Finetune(head={"mlm": {"template": "{text}"}})


def test_a_default_that_is_said_and_one_word_in_a_list_are_the_same_computation():
    keys = [Finetune(head={"mlm": {"template": each, "names": {"a": "x"}}}).keyed() for each in (None, "{text} This text is about {mask}.")]
    assert keys[0] == keys[1] == Finetune(head={"mlm": {"names": {"a": ["x"]}}}).keyed()
    assert keys[0] != Finetune(head={"mlm": {"template": SINGLE, "names": {"a": "x"}}}).keyed()
    assert Prompt().keyed() == Prompt(template="{text} This text is about {mask}.").keyed() != Prompt(template=SINGLE).keyed()


def test_texts_and_pairs_with_one_label_are_answered_and_other_kinds_refused(given, tasks):
    for kind, task in tasks.items():
        for stage in both():
            if kind in ("classify", "pair"):
                assert stage.check(given, task).classifier is None
                assert Prompt.answers(task.kind)
                continue
            if not Finetune.answers(task.kind):
                continue  # a study refuses that before it asks a stage
            with pytest.raises(SettingsError, match=f"{kind} has not one label out of several for each"):
                stage.check(given, task)


def test_a_template_must_fit_how_many_texts_an_item_has(given, tasks):
    for stage in both(PAIR):
        with pytest.raises(SettingsError, match=r"(head: mlm|prompt): template: .*\{text_b\}, which says nothing of single texts"):
            stage.check(given, tasks["classify"])
        stage.check(given, tasks["pair"])
    for stage in both(SINGLE):
        with pytest.raises(SettingsError, match=r"(head: mlm|prompt): template: .* has no place for \{text_b\}"):
            stage.check(given, tasks["pair"])


@pytest.mark.parametrize(
    ("names", "said"),
    [
        ({"d": "good"}, "names: 'd' is no label of the task"),
        ({**WORDS, "b": "good"}, "names: 'a' and 'b' are both 'good', and no model can tell them apart"),
        ({**WORDS, "b": ["bad", "new"]}, "names: 'b' and 'c' are both 'new'"),
        ({**WORDS, "b": "Good"}, "names: this model's vocabulary makes the same of the words of 'a' and 'b'"),
        ({**WORDS, "b": "\U000131a5"}, "is no word of this model's vocabulary, so it cannot stand at the mask for the label 'b'"),
    ],
)
def test_words_that_cannot_tell_labels_apart_are_refused(names, said, given, tasks):
    for stage in both(SINGLE, **names):
        with pytest.raises(SettingsError, match=said):
            stage.check(given, tasks["classify"])


def test_a_model_without_the_head_is_refused_until_it_is_pretrained(tmp_path, tasks):
    bare = Sizes.of(make_base(tmp_path / "bare", build_tiny("bert", "base")))
    for stage in both():
        with pytest.raises(SettingsError, match=r"has no head for masked words.*take a base that has .*\[pretrain: \{corpus"):
            stage.check(bare, None)
    wordy = dict(zip("abc", ("w1", "w2", "w3"), strict=True))
    for stage in both("{text} {mask}", **wordy):
        stage.check(replace(bare, pretrained=True), tasks["classify"])


def test_the_template_leaves_room_for_text(given, tasks):
    template = "{text} " + "it was " * 6 + "{mask}"
    for stage in both(template):
        with pytest.raises(SettingsError, match=r"(head: mlm|prompt): max_length: of 9 tokens the template takes 15: no text has room"):
            stage.model_copy(update={"max_length": 9}).check(given, tasks["classify"])


def test_words_of_several_tokens_are_told(given, tasks):
    reads = Reads({}, 2, tasks["classify"], FastPaths(), None, ())
    several, plain = ({"a": "good", "b": ["bad", "despicable"], "c": "new"}, WORDS)
    (note,) = Prompt(template=SINGLE, names=several).notes(given, lambda: reads)
    assert "prompt: there is a label word of several tokens ('despicable' = " in note
    assert Prompt(template=SINGLE, names=plain).notes(given, lambda: reads) == ()
    unread = Cloze(("a", "b"), "{text} \U000131a5 {mask}", {"a": ("good",), "b": ("bad",)})
    (note,) = unread.notes(read_tokenizer(packaged_base("acclimate-tiny") / TOKENIZER))
    assert note.startswith("1 of the 4 tokens of the template")


def test_the_title_says_which_head_is_trained():
    assert Finetune(head="mlm").title() == "finetune (mlm)"
    assert Finetune(head="mlm", train=2).title() == "finetune (mlm, top 2)"
    assert Finetune(train="head").title() == "finetune (head)"
