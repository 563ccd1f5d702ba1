"""What leaks stands in the report by corpus, split and kind; texts and folders of this machine are not for others."""

from acclimate.report.pages.as_markdown import markdown
from acclimate.report.pages.page import page
from acclimate.report.pages.view import View
from acclimate.report.tables.leaks import leak_grids

SCORES = {"fine-tune": {"all": [0.80, 0.81]}, "DAPT": {"all": [0.84, 0.85]}}
COUNTS = {
    "test": {"exact": 3, "near": 1, "contained": 1200},
    "dev": {"exact": 0, "near": 2, "contained": 0},
    "documents": {"exact": 3, "near": 3, "contained": 994},
    "words": {"exact": 60, "near": 60, "contained": 80_000},
    "dropped": True,
}
LEAK = {
    "corpus": "do|main", "split": "test", "index": 1234, "kind": "near", "similarity": 0.756, "text": "the <b>secret text", "document": 17,
    "place": "/home/someone/texts/domain.txt:18", "found": "the secret <i>text [...]", "documents": 1,
}  # fmt: skip
LEAKS = {"data": {"leaks": {"do|main": COUNTS}}, "leaks": [LEAK]}


def test_counts_are_by_corpus_split_and_kind_and_documents_are_told_once():
    (counts, examples) = leak_grids(LEAKS, examples=True)
    assert counts.rows == (
        ("do|main", "test", "3", "1", "1,200", "1,000", "80.1 k", "are not read"),
        ("do|main", "dev", "0", "2", "0", "–", "–", "–"),
    )
    assert examples.rows == (("do|main", "test 1,234", "near", "0.76", "domain.txt:18", LEAK["text"], LEAK["found"]),)


def test_nothing_is_told_where_nothing_leaks_or_is_known():
    assert leak_grids({"data": {}}, examples=True) == ()
    assert leak_grids({}, examples=True) == ()


def test_the_report_has_a_section_of_leaks_and_others_see_no_texts(results_of):
    assert 'id="leaks"' not in page([View(results_of(SCORES))])
    results = results_of(SCORES, **LEAKS)
    shown = page([View(results)])
    assert 'href="#leaks"' in shown
    assert "the &lt;b&gt;secret text" in shown
    assert "/home/someone" not in shown
    assert "## Leaks" in markdown(View(results))
    public = page([View(results, public=True)])
    assert "1,200" in public
    assert "secret" not in public
