from typing import ClassVar

import pytest
from pydantic import ValidationError

from acclimate.stages.finetune import Finetune
from acclimate.stages.pretrain import Pretrain


def test_min_steps_lengthens_a_short_training_and_never_a_long_one():
    assert Finetune(epochs=3, min_steps=200).steps(batches_per_epoch=4) == 200
    assert Finetune(epochs=3, min_steps=200).steps(batches_per_epoch=400) == 1200


def test_it_is_told_where_epochs_were_asked_for_and_min_steps_makes_more_of_them():
    (told,) = Finetune(epochs=3).told_of_least(16)
    assert "epochs: 3 would be 48 steps, and `min_steps` makes 200 of them, 12.5 epochs" in told
    assert not Finetune().told_of_least(16), "nothing was asked for"
    assert not Finetune(epochs=3, min_steps=200).told_of_least(16), "whoever says so knows"
    assert not Finetune(epochs=3).told_of_least(67)


def test_a_head_alone_learns_faster_unless_told_otherwise():
    assert Finetune(train="head").peak_lr() > Finetune().peak_lr()
    assert Finetune(train="head", lr=3e-5).peak_lr() == 3e-5


def test_a_token_budget_buys_its_steps():
    assert Pretrain(tokens=50_000).steps(tokens_per_epoch=10_000, batches_per_epoch=5) == 25
    assert Pretrain(tokens=1).steps(10_000, 5) == 1
    assert Pretrain(epochs=1.5).steps(10_000, 5) == 8


def test_measuring_the_held_out_loss_takes_a_tenth_of_the_time_at_most():
    stage = Pretrain(evaluations=10)
    assert stage.evaluate_every(steps=100, tokens=10_000_000, heldout_tokens=50_000) == 10
    assert stage.evaluate_every(steps=100, tokens=100_000, heldout_tokens=10_000) == 34
    assert stage.evaluate_every(steps=100, tokens=1000, heldout_tokens=10_000) == 100


def test_pretraining_on_the_task_runs_per_seed_and_on_other_text_once():
    assert Pretrain(corpus="task").seeds_apart()
    assert not Pretrain(corpus="domain").seeds_apart()
    assert Pretrain(corpus="domain", seeds="all").seeds_apart()


def test_dev_and_test_text_are_read_only_when_asked_for():
    assert Pretrain(corpus="task").reads() == ("task text",)
    assert Pretrain(corpus="task", include=("test",)).reads() == ("task text", "test text")
    with pytest.raises(ValidationError, match="include"):
        Pretrain(corpus="domain", include=("test",))


def test_two_budgets_at_once_are_refused():
    with pytest.raises(ValidationError, match="not both"):
        Pretrain(tokens=5, epochs=1)


def test_a_setting_that_was_added_later_leaves_no_trace_while_it_means_what_was_done_before():
    class Later(Finetune):
        silent: ClassVar = {**Finetune.silent, "loss": "cross_entropy"}
        loss: str = "cross_entropy"
        """Of the classifier."""

    assert Later().keyed() == Finetune().keyed()
    assert Later(loss="focal").keyed() == Finetune().keyed() | {"loss": "focal"}


def test_a_title_says_what_is_learned_from_what():
    assert [Finetune().title(), Finetune(train="head").title(), Finetune(train=2).title()] == [
        "finetune", "finetune (head)", "finetune (top 2)",
    ]  # fmt: skip
    assert Pretrain(corpus="task").title() == "pretrain on task"
