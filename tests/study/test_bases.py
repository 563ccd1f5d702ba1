"""Where recipes start: students of some layers, and models that do not exist yet."""

import json

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

from acclimate.errors import MissingExtraError, ModelError, SettingsError
from acclimate.files import read_json
from acclimate.modeling.named import NAMED, Packaged, packaged_base
from acclimate.modeling.shape import Shape
from acclimate.modeling.source import new_source, resolve_base
from acclimate.stages.cut import Cut, spread
from acclimate.stages.start import Start
from acclimate.study.language.paths import relocated
from acclimate.study.language.study import load_study, parse_study, resolved
from acclimate.study.plan.graph import Plan
from acclimate.study.run import Options, run_study
from acclimate.tasks.opened import Data

HEAD = """
{head}
seeds: 1
"""
SHORT = "finetune: {{epochs: 1, min_steps: 0}}"
SMALL = "random: {{layers: 1, hidden: 12, heads: 3, feed_forward: 20, positions: 32}}"


@pytest.fixture
def study_of(write_study, tmp_path):
    def make(recipes):
        return load_study(write_study(tmp_path, HEAD + "recipes:\n" + "".join(f"  {line}\n" for line in recipes)))

    return make


@pytest.fixture
def plan_of(study_of, tmp_path):
    def make(*recipes):
        study = study_of(recipes)
        return Plan.of(study, Data.open(study.data, tmp_path, tmp_path / "cache"), tmp_path)

    return make


def stages(plan, recipe):
    (run,) = [run for run in plan.runs if run.recipe == recipe]
    return [plan.nodes[key].stage for key in run.nodes]


def test_a_student_of_a_recipe_shares_all_that_comes_before_its_first_labels(plan_of):
    plan = plan_of(
        "DAPT: [pretrain, finetune]",
        "small: {{base: {{layers_of: DAPT, keep: 1}}, stages: [{{pretrain: {{corpus: task}}}}, finetune]}}",
    )
    assert [type(stage).__name__ for stage in stages(plan, "small")] == ["Start", "Pretrain", "Cut", "Pretrain", "Finetune"]
    teacher, student = ({run.recipe: run.nodes for run in plan.runs}[name] for name in ("DAPT", "small"))
    assert student[:2] == teacher[:2]


def test_how_many_layers_and_which_mean_the_same(plan_of):
    plan = plan_of(
        "number: {{base: {{layers_of: {world}/model, keep: 2}}, stages: [finetune]}}",
        "which: {{base: {{layers_of: {world}/model, keep: [0, 1]}}, stages: [finetune]}}",
        "other: {{base: {{layers_of: {world}/model, keep: [1]}}, stages: [finetune]}}",
    )
    ends = {run.recipe: run.end for run in plan.runs}
    assert ends["number"] == ends["which"] != ends["other"]


@pytest.mark.parametrize(
    ("keep", "of", "kept"), [(4, 6, (0, 2, 3, 5)), (3, 6, (0, 2, 5)), (2, 12, (0, 11)), (1, 6, (0,)), (6, 6, tuple(range(6)))]
)
def test_layers_are_spread_with_the_first_and_the_last_among_them(keep, of, kept):
    assert spread(keep, of) == kept


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("a: {{base: {{layers_of: a, keep: 1}}, stages: [finetune]}}", "goes in a circle: a of a"),
        ("a: {{base: {{layers_of: tfidf, keep: 1}}, stages: [finetune]}}", "neither a recipe nor a pretrained model"),
        ("a: {{base: {{layers_of: x/y, keep: [1, 0]}}, stages: [finetune]}}", "is not ascending"),
        ("a: {{base: {{layers_of: x/y, keep: 0}}, stages: [finetune]}}", "at least 1"),
        ("a: {{base: {{layers_of: x/y, keep: 1}}}}", "has no stages"),
        ("a: {{base: {{random: {{layers: 1, hidden: 10, heads: 3}}}}, stages: [finetune]}}", "cannot be divided into 3 heads"),
        (
            "a: {{base: {{random: {{layers: 1, hidden: 12}}}}, stages: [finetune]}}",
            r"^\S+ recipes\.a\.base\.random: the key 'heads' is missing$",
        ),
        ("a: {{base: {{layers_of: x/y}}, stages: [finetune]}}", r"^\S+ recipes\.a\.base: the key 'keep' is missing$"),
    ],
)
def test_a_base_that_cannot_be_is_refused_when_the_file_is_read(study_of, recipe, message):
    with pytest.raises(SettingsError, match=message):
        study_of([recipe])


@pytest.mark.parametrize(
    ("keep", "message"), [("3", "3 layers of .*, which has 2 layers"), ("[0, 2]", "layer 2 of .*, which has 2 layers")]
)
def test_layers_that_a_model_does_not_have_are_refused_by_the_plan(plan_of, keep, message):
    with pytest.raises(SettingsError, match=message):
        plan_of(f"a: {{{{base: {{{{layers_of: {{world}}/model, keep: {keep}}}}}, stages: [finetune]}}}}")


def test_the_top_layers_of_a_student_are_counted_in_the_student(plan_of):
    with pytest.raises(SettingsError, match="train: 2 layers were asked for"):
        plan_of("a: {{base: {{layers_of: {world}/model, keep: 1}}, stages: [finetune: {{train: 2}}]}}")


@pytest.mark.measured(0)
def test_a_study_runs_students_and_new_models_and_repeats_itself(study_of, tmp_path, write_study):
    study = study_of(
        [
            f"fine-tune: [{SHORT}]",
            f"cut: {{{{base: {{{{layers_of: fine-tune, keep: [1]}}}}, stages: [{SHORT}]}}}}",
            f"new: {{{{base: {{{{{SMALL}}}}}, stages: [pretrain: {{{{tokens: 2000, batch_tokens: 500, max_length: 16}}}}, {SHORT}]}}}}",
        ]
    )
    options = Options(out=tmp_path / "out", store=tmp_path / "store", engine="inline", say=lambda _: None)
    finished = run_study(study, tmp_path, options)
    assert (finished.runs, finished.failed) == (3, 0)
    about = json.loads((tmp_path / "out/study.json").read_text())
    named = {base["name"]: base for base in about["bases"]}
    assert {base["hub"] for base in named.values()} == {False}
    assert named["random, 1 layer of 12, vocabulary of model"]["license"] is None
    again = load_study(tmp_path / "out/study.yaml")
    data = Data.open(again.data, tmp_path / "out", tmp_path / "cache")
    before = Plan.of(study, Data.open(study.data, tmp_path, tmp_path / "cache"), tmp_path)
    assert set(Plan.of(again, data, tmp_path / "out").nodes) == set(before.nodes)


def test_a_written_out_study_with_such_bases_is_read_back():
    recipes = {
        "cut": {"base": {"layers_of": "m/m", "keep": [0, 3]}, "stages": ["finetune"]},
        "new": {"base": {"random": {"layers": 2, "hidden": 8, "heads": 2, "tokenizer": "m/m"}}, "stages": ["finetune"]},
    }
    study = parse_study({"data": {"task": {"path": "x"}}, "recipes": recipes})
    assert parse_study(resolved(study)).recipes == study.recipes


@pytest.fixture
def context(tmp_path):
    class Context:
        output = tmp_path / "artifact"
        seed = 3

    return Context()


def test_a_new_model_has_the_asked_for_sizes_and_counts_its_parameters_before_it_exists(tiny_world, context):
    shape = Shape(layers=1, hidden=12, heads=3, feed_forward=20, positions=32)
    source = new_source(shape, "model", tiny_world)
    start = Start(digest=source.digest, random=True, shape=shape, name=source.name, folder=str(source.folder))
    start.run(None, context)
    folder = context.output / "model"
    tensors = load_file(folder / "model.safetensors")
    assert source.parameters == sum(tensor.numel() for tensor in tensors.values())
    model = AutoModelForMaskedLM.from_pretrained(folder)
    assert (model.config.num_hidden_layers, model.config.hidden_size, model.config.max_position_embeddings) == (1, 12, 32)
    assert len(AutoTokenizer.from_pretrained(folder)) == model.config.vocab_size
    assert model.config.pad_token_id == 0


def test_a_new_models_weights_are_drawn_from_its_seed(tiny_world, tmp_path):
    shape = Shape(layers=1, hidden=12, heads=3)
    source = new_source(shape, "model", tiny_world)
    start = Start(digest=source.digest, random=True, shape=shape, name=source.name, folder=str(source.folder))
    weights = []
    for number, seed in enumerate((0, 0, 1)):
        context = type("Context", (), {"output": tmp_path / str(number), "seed": seed})()
        start.run(None, context)
        weights.append(load_file(context.output / "model/model.safetensors")["bert.embeddings.word_embeddings.weight"])
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_sizes_and_vocabulary_decide_the_key_and_what_the_vocabulary_is_called_does_not(tiny_world, tmp_path):
    (tmp_path / "copy").symlink_to(tiny_world / "model")
    shape = Shape(layers=1, hidden=12, heads=3)
    digests = [new_source(shape, name, root).digest for name, root in (("model", tiny_world), ("copy", tmp_path))]
    assert digests[0] == digests[1]
    assert new_source(Shape(layers=2, hidden=12, heads=3), "model", tiny_world).digest != digests[0]


def test_a_folder_without_a_tokenizer_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ModelError, match=r"empty: no config\.json"):
        new_source(Shape(layers=1, hidden=12, heads=3), "empty", tmp_path)


def test_minilm_is_the_packaged_model(minilm, tmp_path):
    source = resolve_base("minilm", tmp_path)
    assert source.folder == minilm
    assert source.hub == "sentence-transformers/all-MiniLM-L6-v2"


def test_a_folder_of_that_name_is_taken_only_where_it_is_meant(tiny_world, tmp_path):
    (tmp_path / "minilm").symlink_to(tiny_world / "model")
    with pytest.raises(ModelError, match=r"base minilm: is the name of .* write \./minilm for that"):
        resolve_base("minilm", tmp_path)
    assert resolve_base("./minilm", tmp_path).config["hidden_size"] == 16


def test_a_short_name_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(NAMED, "minilm", Packaged("no_such_module", "model", "pip install it", None))
    with pytest.raises(MissingExtraError, match="not installed: pip install it"):
        resolve_base("minilm", tmp_path)


def test_a_short_name_whose_folder_is_gone_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(NAMED, "acclimate-mini", Packaged("acclimate", "bases/none"))
    with pytest.raises(MissingExtraError, match="acclimate is not whole, so install it again"):
        resolve_base("acclimate-mini", tmp_path)


def test_a_name_that_no_base_has_is_answered_with_those_there_are():
    with pytest.raises(ModelError, match="base maxi: is not one of acclimate-mini, acclimate-tiny, acclimate-tiny-causal, minilm"):
        packaged_base("maxi")


@pytest.mark.parametrize("said", [{}, {"base": None}])
def test_a_study_starts_from_mini_where_it_names_no_base(said, tiny_world):
    study = parse_study(said | {"data": {"task": {"path": str(tiny_world)}}, "recipes": {"a": ["finetune"]}})
    plan = Plan.of(study, Data.open(study.data, tiny_world, tiny_world / "cache"), tiny_world)
    assert [source.folder for source in plan.sources.values()] == [packaged_base("acclimate-mini")]


@pytest.mark.parametrize(("name", "layers", "hidden"), [("acclimate-mini", 4, 384), ("acclimate-tiny", 2, 128)])
def test_the_bases_of_this_package_are_plain_masked_language_models(name, layers, hidden):
    folder = packaged_base(name)
    model, report = AutoModelForMaskedLM.from_pretrained(folder, output_loading_info=True)
    assert (type(model).__name__, model.dtype) == ("BertForMaskedLM", torch.float32)
    assert (model.config.num_hidden_layers, model.config.hidden_size, model.config.vocab_size) == (layers, hidden, 16_384)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert len(tokenizer) == 16_384
    assert tokenizer("Ünable?").tokens() == ["[CLS]", "unable", "?", "[SEP]"]


def test_the_decoder_of_this_package_is_the_twin_of_its_smallest_encoder():
    folder, twin = packaged_base("acclimate-tiny-causal"), packaged_base("acclimate-tiny")
    model, report = AutoModelForCausalLM.from_pretrained(folder, output_loading_info=True)
    assert (type(model).__name__, model.dtype) == ("GPT2LMHeadModel", torch.float32)
    assert (model.config.n_layer, model.config.n_embd, model.config.n_head, model.config.vocab_size) == (2, 128, 2, 16_384)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert read_json(folder / "tokenizer.json")["model"] == read_json(twin / "tokenizer.json")["model"]
    # It knows what it was made for: of two sentences the one that is said is likelier.
    tokenizer = AutoTokenizer.from_pretrained(folder)
    said, unsaid = ("the results of the study are shown in table 1 .", "shown study are table 1 in the of results the .")
    ids = [torch.tensor([tokenizer(text).input_ids]) for text in (said, unsaid)]
    with torch.no_grad():
        losses = [float(model.eval()(input_ids=each, labels=each).loss) for each in ids]
    assert losses[0] < losses[1] - 1


def test_the_bases_of_this_package_take_little_room():
    folders = [packaged_base(name) for name in ("acclimate-mini", "acclimate-tiny", "acclimate-tiny-causal")]
    assert sum(file.stat().st_size for folder in folders for file in folder.iterdir()) < 40e6


def test_a_cut_draws_nothing_and_reads_nothing():
    assert (Cut(keep=(0,)).draws(), Cut(keep=(0,)).reads()) == (False, ())


def test_a_folder_called_random_does_not_become_the_base_of_a_random_recipe(tmp_path):
    (tmp_path / "random").mkdir()
    study = {"base": "m", "data": {"corpora": {}}, "recipes": {"a": {"base": "random", "stages": []}}}
    assert relocated(study, tmp_path, tmp_path / "out")["recipes"]["a"]["base"] == "random"


def test_another_draw_of_a_random_start_is_another_model(study_of):
    study = study_of(["a: {{base: random, stages: [prune: {{size: 30}}], draw: 1}}"])
    assert study.recipes["a"].draw == 1
