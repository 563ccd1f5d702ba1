"""The stage prune: what it measures, how often it runs, and what follows it in a study."""

import json

from tests.study.conftest import tiny_model

from acclimate.stages.prune import Prune
from acclimate.study.run import Options
from acclimate.study.single import run_stage


def test_nothing_is_drawn_and_no_stage_before_it_is_made_to_run_once():
    assert not Prune().draws()
    assert Prune().seeds_apart()


def test_it_reads_a_corpus_or_the_texts_of_the_task():
    assert Prune().reads() == ("domain",)
    assert Prune(corpus="task").reads() == ("task text",)


def test_corpus_and_size_decide_the_outcome():
    assert Prune(size=10).keyed() != Prune(size=11).keyed()
    assert Prune(corpus="task").keyed() != Prune().keyed()


def test_a_vocabulary_is_cut_to_a_mixture_by_its_weights(tmp_path):
    tiny_model(tmp_path / "model")
    corpora = {}
    for name, words in (("much", ["song"] * 5 + ["band"]), ("little", ["goal"] * 4 + ["band"])):
        (tmp_path / f"{name}.txt").write_text("\n".join(words) + "\n")
        corpora[name] = str(tmp_path / f"{name}.txt")
    kept = []
    for number, weights in enumerate(({"much": 1, "little": 0.1}, {"much": 0.1, "little": 1})):
        options = Options(tmp_path / f"cut{number}", tmp_path / "store", engine="inline", say=lambda _: None)
        run_stage(str(tmp_path / "model"), "prune", {"corpus": weights, "size": 7}, {"corpora": corpora}, 0, options)
        vocabulary = json.loads((options.out / "tokenizer.json").read_text())["model"]["vocab"]
        kept.append({word for word in ("song", "band", "goal") if word in vocabulary})
    # Beside the five special tokens and the letter a there is room for one.
    assert kept == [{"song"}, {"goal"}]
