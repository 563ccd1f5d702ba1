"""The stage prune: what it measures, how often it runs, and what follows it in a study."""

from acclimate.stages.prune import Prune


def test_nothing_is_drawn_and_no_stage_before_it_is_made_to_run_once():
    assert not Prune().draws()
    assert Prune().seeds_apart()


def test_it_reads_a_corpus_or_the_texts_of_the_task():
    assert Prune().reads() == ("domain",)
    assert Prune(corpus="task").reads() == ("task text",)


def test_corpus_and_size_decide_the_outcome():
    assert Prune(size=10).keyed() != Prune(size=11).keyed()
    assert Prune(corpus="task").keyed() != Prune().keyed()
