"""`acclimate pretrain --from-scratch`: a model from random weights, as large as one says."""

import pytest
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM
from typer.testing import CliRunner

from acclimate.cli.verbs import app
from acclimate.modeling.shape import Shape

pytestmark = pytest.mark.measured(0)

SIZES = ["--layers", "1", "--hidden", "12", "--heads", "3", "--feed-forward", "20", "--positions", "32"]
SHORT = ["--set", "tokens=2000", "--set", "batch_tokens=256", "--set", "max_length=16", "--set", "lr=1e-2", "--set", "patience=null"]


@pytest.fixture
def pretrain(tiny_world, tmp_path, one_process):
    def run(base, *options):
        words = [
            "pretrain",
            str(base),
            str(tiny_world / "domain.jsonl"),
            "--out",
            str(tmp_path / "out"),
            "--store",
            str(tmp_path / "store"),
        ]
        return CliRunner().invoke(app, [*words, *SHORT, *options])

    return run


def test_a_new_architecture_takes_the_vocabulary_and_learns(pretrain, tiny_world, tmp_path):
    result = pretrain(tiny_world / "model", "--from-scratch", *SIZES)
    assert result.exit_code == 0, result.output
    model = AutoModelForMaskedLM.from_pretrained(tmp_path / "out")
    assert (model.config.num_hidden_layers, model.config.hidden_size, model.config.intermediate_size) == (1, 12, 20)
    shown = dict(line.rsplit(maxsplit=1) for line in result.stdout.splitlines() if " " in line)
    assert float(shown["heldout_loss_after"]) < float(shown["heldout_loss_before"])
    assert float(shown["corpora.domain.heldout_accuracy"]) == float(shown["heldout_accuracy"])
    assert shown["fresh_mlm_head"] == "False"


def test_a_decoder_takes_the_vocabulary_and_learns_next_words(pretrain, tiny_world, tmp_path):
    result = pretrain(tiny_world / "model", "--from-scratch", *SIZES, "--architecture", "gpt2", "--set", "windows=across")
    assert result.exit_code == 0, result.output
    model, info = AutoModelForCausalLM.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not info["missing_keys"]
    config = model.config
    assert (config.n_layer, config.n_embd, config.n_inner, config.n_positions) == (1, 12, 20, 32)
    assert (config.bos_token_id, config.eos_token_id, config.pad_token_id) == (2, 3, 0)
    shown = dict(line.rsplit(maxsplit=1) for line in result.stdout.splitlines() if " " in line)
    assert float(shown["heldout_loss_after"]) < float(shown["heldout_loss_before"])
    shape = Shape(layers=1, hidden=12, heads=3, feed_forward=20, positions=32, architecture="gpt2")
    assert shape.parameters(config.vocab_size) == sum(parameter.numel() for parameter in model.parameters())


def test_a_folder_with_a_tokenizer_alone_is_enough(pretrain, tiny_world, tmp_path):
    (tmp_path / "words").mkdir()
    (tmp_path / "words/tokenizer.json").write_bytes((tiny_world / "model/tokenizer.json").read_bytes())
    assert pretrain(tmp_path / "words", "--from-scratch", *SIZES).exit_code == 0


def test_without_sizes_it_is_the_architecture_of_the_base(pretrain, tiny_world, tmp_path):
    assert pretrain(tiny_world / "model", "--from-scratch").exit_code == 0
    assert AutoModelForMaskedLM.from_pretrained(tmp_path / "out").config.num_hidden_layers == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--layers", "2"], "say --from-scratch"),
        (["--from-scratch", "--layers", "2"], "--hidden and --heads not given"),
        (["--from-scratch", "--layers", "1", "--hidden", "10", "--heads", "3"], "cannot be divided into 3 heads"),
    ],
)
def test_sizes_that_make_no_model_are_refused(pretrain, tiny_world, options, message):
    result = pretrain(tiny_world / "model", *options)
    assert result.exit_code == 2
    assert message in result.output


@pytest.mark.measured(0)
def test_growing_batches_make_more_steps_of_the_same_budget(pretrain, tiny_world):
    counts = []
    for ramp in ("0", "0.5"):
        result = pretrain(tiny_world / "model", "--from-scratch", *SIZES, "--set", f"batch_ramp={ramp}")
        assert result.exit_code == 0, result.output
        shown = dict(line.rsplit(maxsplit=1) for line in result.stdout.splitlines() if " " in line)
        counts.append((int(shown["steps"]), int(shown["tokens"])))
    (steps, tokens), (more_steps, other_tokens) = counts
    assert more_steps > steps
    assert abs(other_tokens - tokens) < 256
