"""The benchmark's own machinery: rounds that alternate, bars, table and JSON; and one row carried out on a model of no size."""

import json
from contextlib import nullcontext
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest
from rich.console import Console

from bench import __main__ as command
from bench import decoder_ours, gpu, models, report
from bench.decoder_ours import Course
from bench.measure import OURS, Bar, Bench, Options, Row, interleave, single, versus
from bench.rows import ROWS
from bench.rows import decoders as decoder_rows
from bench.rows import encode as encode_row
from bench.rows import finetune as finetune_rows
from bench.rows import kernels as kernels_row
from bench.rows import vectors as vectors_rows

pytestmark = pytest.mark.measured(0)


def test_sides_alternate_and_see_the_number_of_the_round():
    seen = []
    sides = {name: lambda number, name=name: seen.append((name, number)) or number for name in "AB"}
    assert interleave(sides, 2) == {"A": [0, 1], "B": [0, 1]}
    assert seen == [("A", 0), ("B", 0), ("A", 1), ("B", 1)]


@pytest.mark.parametrize(("unit", "value"), [("tokens/s", 0.5), ("s", 2.0), ("MB", 0.5)])
def test_a_ratio_says_how_many_times_better_ours_is_and_of_memory_what_share(unit, value):
    cell = versus("what", {OURS: [1.0, 2.0, 9.0], "peer": [4.0, 4.0, 4.0]}, "peer", unit)
    assert cell.value == value
    assert cell.low < value < cell.high


def test_bars_have_a_sense():
    assert Bar(2).met(2.0)
    assert not Bar(2).met(1.9)
    assert Bar(0.3, "at most").met(0.2)
    assert not Bar(0.3, "at most").met(0.4)


def _failing(bench):
    raise ValueError("it broke [for good]")


@pytest.fixture
def rows(monkeypatch):
    """Rows that need no time, in the place of the real ones."""
    bars = {"cpu": {"fast": Bar(3, "at most", "s")}, "gpu": {"fast": Bar(3, "at most", "s"), "other": Bar(2)}}
    made = [Row("good", "seconds", lambda bench: [single("fast", [1.0, 2.0], "s", note="a note")], bars), Row("bad", "", _failing)]
    monkeypatch.setattr(command, "ROWS", {row.name: row for row in made})
    return made


def test_a_failed_row_leaves_the_others_their_figures_and_runs_merge_into_one_file(rows, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ACCLIMATE_SHARED", "")
    assert command.main(["good", "--results", str(tmp_path)]) == 0
    assert command.main(["bad", "--results", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert "met" in shown
    assert "not measured" in shown
    assert "it broke [for good]" in shown
    (file,) = tmp_path.glob("*.json")
    kept = json.loads(file.read_text())["rows"]
    assert kept.keys() == {"good"}
    assert kept["good"]["cells"][0]["rounds"] == {OURS: [1.0, 2.0]}
    assert kept["good"]["versions"]["torch"]


def test_other_texts_and_kernels_have_files_of_their_own_and_stand_beside_the_usual_figures(rows, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("ACCLIMATE_SHARED", "")
    ratio = iter(([4.0, 6.0], [3.0], [2.0, 2.0]))
    rows[0] = replace(
        rows[0], run=lambda bench: [versus("fast", {OURS: (one := next(ratio)), "peer": [1.0] * len(one)}, "peer", "tokens/s")]
    )
    monkeypatch.setattr(command, "ROWS", {"good": rows[0]})
    asked = ["good", "--results", str(tmp_path)]
    assert command.main(asked) == command.main([*asked, "--texts", "news"]) == 0
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "avx2")
    assert command.main([*asked, "--texts", "news"]) == 0
    monkeypatch.delenv("ATEN_CPU_CAPABILITY")
    capsys.readouterr()
    assert command.main(["--page", "--results", str(tmp_path)]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert "| work | what | usual | news | news-avx2 |" in shown
    assert "| good | fast | 5.00x (4.00x to 6.00x) | 3.00x | 2.00x |" in shown


def test_every_bar_is_one_of_a_row_and_every_row_says_what_is_timed():
    assert {
        "mlm-lines",
        "mlm-sentences",
        "mlm-blocks",
        "finetune",
        "tags",
        "pairs",
        "head-only",
        "top-2",
        "distill",
        "clm",
        "sft",
        "replay-decoders",
        "multiple-negatives",
        "cached-negatives",
        "tsdae",
        "encode",
        "tokenise",
        "memory",
        "study",
        "looks",
        "replay",
        "kernels",
        "ddp",
    } <= ROWS.keys()
    assert all(row.timed for row in ROWS.values())


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    from acclimate.modeling.imported_base import import_base
    from acclimate.modeling.source import resolve_base

    source = resolve_base("acclimate-tiny", tmp_path)
    made = models.Base("tiny", source.folder, import_base(source, tmp_path / "imported"))
    monkeypatch.setattr(models, "base", lambda bench, name: made)


@pytest.mark.measured(0)
@pytest.mark.parametrize("work", [finetune_rows.WHOLE, finetune_rows.TAGS, finetune_rows.PAIRS], ids=lambda work: work.kind.__name__)
def test_fine_tuning_is_timed_on_both_sides_and_both_say_how_well_they_did(work, tiny, bbc_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(finetune_rows, "sizes", lambda bench, items: (16, 8, 8))
    short = replace(work, epochs=1, dropouts=(None,), against=(finetune_rows.DYNAMIC,))
    (cell,) = finetune_rows.compared(Bench(Options(rounds=1, quick=True), tmp_path / "work"), short)
    assert cell.value > 0
    assert cell.details["scores"].keys() == {OURS, finetune_rows.DYNAMIC}
    assert all(0 <= score <= 1 for seen in cell.details["scores"].values() for score in seen)


@pytest.fixture
def here(tiny, bbc_folder, monkeypatch, tmp_path):
    """A bench whose sides run in this process, on texts of the demo."""
    for module in (vectors_rows, encode_row):
        monkeypatch.setattr(module, "in_child", lambda bench, _, spec, module=module: module.child(bench, spec))
    # What a process grows by says nothing where it has done the same before.
    monkeypatch.setattr(vectors_rows, "Peak", lambda: nullcontext(SimpleNamespace(bytes=1e6)))
    return Bench(Options(rounds=1, quick=True), tmp_path)


@pytest.mark.measured(0)
@pytest.mark.parametrize("work", [vectors_rows.RANKED[-1], replace(vectors_rows.CACHED[0], micro=100)], ids=lambda work: work.what)
def test_both_sides_learn_vectors_from_the_same_pairs_by_the_same_loss(here, work):
    speed, memory, apart = vectors_rows.compared(here, work)
    assert speed.rounds.keys() == memory.rounds.keys() == {OURS, vectors_rows.PEER}
    assert apart.value < 1e-4


@pytest.mark.measured(0)
def test_both_sides_give_the_same_texts_back_and_other_texts_are_noticed(here, monkeypatch):
    (work,) = vectors_rows.DENOISED
    cells = vectors_rows.compared(here, work)
    assert {cell.variant for cell in cells if cell.value > 0} == ROWS["tsdae"].bars["cpu"].keys()
    monkeypatch.setattr(vectors_rows.vector_ours, "denoised", lambda *_: vectors_rows.Learned(1.0, [1.0], [1]))
    with pytest.raises(RuntimeError, match="not the tokens"):
        vectors_rows.compared(here, replace(work, against=(vectors_rows.PEER,)))


@pytest.mark.measured(0)
def test_both_sides_give_the_same_vectors(here, monkeypatch):
    monkeypatch.setattr(encode_row, "SIZES", (encode_row.USUAL,))
    *_, apart = ROWS["encode"].run(here)
    assert apart.variant == encode_row.APART
    assert apart.value < 1e-5


@pytest.mark.measured(0)
def test_the_loop_does_what_the_trainer_does(tiny, bbc_folder, tmp_path, monkeypatch):
    bench = Bench(Options(rounds=1, quick=True), tmp_path / "work")
    cells = ROWS["replay"].run(bench)
    console = Console(record=True, width=200)
    report.show(bench, [ROWS["replay"]], {"replay": cells}, console)
    assert next(cell for cell in cells if cell.variant == "difference").value < 5e-5
    assert "replay" in console.export_text()


@pytest.fixture
def decoding(bbc_folder, monkeypatch, tmp_path):
    """A bench of decoders whose sides run in this process, on texts of the demo."""
    monkeypatch.setattr(decoder_rows, "in_child", lambda bench, _, spec: decoder_rows.child(bench, spec))
    monkeypatch.setattr(decoder_rows, "Peak", lambda: nullcontext(SimpleNamespace(bytes=1e6)))
    return Bench(Options(rounds=1, quick=True), tmp_path)


@pytest.mark.measured(0)
@pytest.mark.parametrize(("what", "side"), [decoder_rows.REPLAYED[0], decoder_rows.REPLAYED[-1]], ids=["padded", "packed"])
def test_the_loop_does_with_next_words_what_the_peers_do(decoding, what, side):
    cell = decoder_rows.replayed(decoding, what, side)
    assert cell.value < 5e-5
    said = [float(word) for word in cell.note.replace(",", "").split() if word.count(".") == 1]
    assert said[0] < said[-1] - 5e-4, "ten times as much was learned as they may differ by"


@pytest.mark.measured(0)
@pytest.mark.parametrize("side", [decoder_rows.ACROSS, decoder_rows.BLOCKS], ids=["ours", "run_clm"])
def test_decoders_learn_from_blocks_and_are_asked_in_both_forms(decoding, side):
    besides = decoder_rows.CLM.besides[side]
    spec = {"what": "clm", "side": side, "course": asdict(Course(2, 1, 512, 0)), "besides": besides, "seed_besides": 1}
    found = decoder_rows.child(decoding, spec)
    base = models.base(decoding, models.decoder(decoding))
    _, kept = decoder_rows.read(decoding, base, "clm")
    before = decoder_ours.loss_of(decoding, base.folder, None, kept.across())
    assert found["tokens"] in (512, 1024)  # blocks
    assert found["losses"].keys() == {side, besides}
    assert all(loss < before for asked in found["losses"].values() for loss in asked[decoder_rows.JOINED])
    every = [loss for asked in found["losses"].values() for losses in asked.values() for loss in losses]
    assert len(set(every)) == 4, "two trainings, two forms"


def _measured_already(bench, _, spec):
    def asked(seed):
        return {form: [seed + len(form)] for form in decoder_rows.BOTH}

    seed, besides = spec["course"]["seed"], spec["besides"]
    losses = {spec["side"]: asked(seed)}
    if besides:
        kept = losses.setdefault(besides, {form: [] for form in decoder_rows.BOTH})
        losses[besides] = {form: [*kept[form], *loss] for form, loss in asked(spec["seed_besides"]).items()}
    return {"speed": 1.0, "tokens": 7, "losses": losses, "bytes": 1e6}


def test_a_work_of_decoders_has_a_cell_for_each_of_its_bars_and_counts_every_training(decoding, monkeypatch):
    monkeypatch.setattr(decoder_rows, "in_child", _measured_already)
    cells = {cell.variant: cell for cell in decoder_rows.compared(Bench(Options(rounds=2, quick=True), decoding.work), decoder_rows.CLM)}
    assert cells.keys() >= ROWS["clm"].bars["cpu"].keys()
    like = cells[f"{decoder_rows.BEGUN}: {decoder_rows.APART}{decoder_rows.JOINED}"]
    apart = len(decoder_rows.JOINED)
    assert like.rounds == {OURS: [apart + seed for seed in (0, 2, 1, 3)], decoder_rows.BEGUN: [apart + 2, apart + 3]}
    assert "higher" not in like.note
    assert "of 4 and 2 trainings" in like.note


def test_windows_across_documents_hold_every_token_of_them_once(decoding):
    base = models.base(decoding, models.decoder(decoding))
    learned, _ = decoder_rows.read(decoding, base, "clm")
    across = learned.across()
    assert set(across.lengths[:-1]) == {512}
    every = [docs.batch(np.arange(len(docs.lengths))).input_ids for docs in (learned, across)]
    assert across.windows.tokens == learned.windows.tokens
    begin = learned.borders.begin
    np.testing.assert_array_equal(*(ids[ids != begin] for ids in every))


def test_held_out_losses_are_apart_by_standard_errors_of_their_means():
    losses = {OURS: [1.0, 3.0], decoder_rows.TRL: [5.0, 7.0]}
    cell = decoder_rows._apart("apart", losses, decoder_rows.TRL, "a model")
    assert cell.value == pytest.approx(4 / 2**0.5)
    assert decoder_rows._apart("apart", {**losses, OURS: [5.0, 7.0]}, decoder_rows.TRL, "a model").value == 0
    more = {OURS: [1.0, 3.0, 2.0, 2.0], decoder_rows.TRL: [5.0, 7.0]}  # together a variance of 1, by four degrees of freedom
    assert decoder_rows._apart("apart", more, decoder_rows.TRL, "a model").value == pytest.approx(4 / 0.75**0.5)


def test_every_promise_about_gpus_is_checked_by_a_row_that_knows_what_to_hold_it_to():
    assert len(gpu.LIST) >= 4
    for line in gpu.LIST:
        assert {*line.checks, *line.measures} <= ROWS.keys()
        for name in line.checks:
            assert any(bar.promise for bar in ROWS[name].bars["gpu"].values()), name
        ratios = [bar for name in (*line.checks, *line.measures) for bar in ROWS[name].bars["gpu"].values() if bar.unit == "x"]
        assert ratios, line.promise


def test_where_there_is_no_gpu_the_list_is_refused_in_a_line_that_names_the_dry_run(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(command.torch.cuda, "is_available", lambda: False)
    assert command.main(["gpu", "--results", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "python -m bench gpu --dry" in said
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("value", "code", "said"), [(0.5, 0, "ok     it holds"), (2.0, 1, "FAILED it holds\n         checked, wrong: 2, not ≤ 1")]
)
def test_a_dry_run_carries_out_the_checks_alone_and_fails_where_a_promise_is_broken(tmp_path, capsys, monkeypatch, value, code, said):
    bar = {"wrong": Bar(1, "at most", promise=True), "slow": Bar(100)}
    made = [
        Row("checked", "", lambda bench: [single("wrong", [value], "x"), single("slow", [1.0], "x")], {"cpu": bar, "gpu": bar}),
        Row("measured", "", _failing),
    ]
    monkeypatch.setenv("ACCLIMATE_SHARED", "")
    monkeypatch.setattr(command, "ROWS", {row.name: row for row in made})
    monkeypatch.setattr(gpu, "LIST", (gpu.Line("it holds", ("checked",), ("measured",)),))
    assert command.main(["gpu", "--dry", "--results", str(tmp_path)]) == code
    assert said in capsys.readouterr().out
    (file,) = tmp_path.glob("*-quick.json")
    assert json.loads(file.read_text())["rows"].keys() == {"checked"}


@pytest.mark.parametrize("broken", [False, True], ids=["as it is", "one kernel wrong"])
def test_packed_kernels_are_held_to_exact_attention_forward_and_backward(tmp_path, monkeypatch, broken):
    monkeypatch.setattr(kernels_row, "HEADS", 2)
    monkeypatch.setattr(kernels_row, "SIZE", 16)
    if broken:
        padded = kernels_row.kernels.padded
        monkeypatch.setattr(kernels_row.kernels, "padded", lambda *given: 1.05 * padded(*given))
    row = ROWS["kernels"]
    cells = row.run(Bench(Options(rounds=1, quick=True), tmp_path))
    assert {"loop, float32: error", "by_length, bfloat16: error", "padded, float16: error"} <= {cell.variant for cell in cells}
    missed = gpu.broken({"kernels": row}, {"kernels": cells}, "cpu")
    assert [each.partition(":")[0] for each in missed] == (
        [f"kernels, padded, {dtype}" for dtype in ("float32", "float16", "bfloat16")] if broken else []
    )
