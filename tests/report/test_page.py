import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from statistics import mean

import pyarrow.parquet as pq
import pytest

from acclimate.errors import SettingsError
from acclimate.report.pages.page import render, write_report, write_reports
from acclimate.report.pages.view import View
from acclimate.report.results.finished import Results
from acclimate.study.language.yaml import dump

VOID = {"meta", "br", "hr", "img", "link", "input", "circle", "line", "rect"}
HOSTILE = "<script>alert(1)</script>{{ 7*7 }} {% raw %}"


class Page(HTMLParser):
    """Elements with their attributes, the text outside of style, and whether every element was closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join("".join(self.words).split())

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def html(written: Path) -> str:
    return (written / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def page(html: str) -> Page:
    return Page(html)


@pytest.mark.measured(0)
def test_the_page_is_well_formed(page: Page) -> None:
    assert page.open == []
    assert [tag for tag, _ in page.elements[:2]] == ["html", "head"]


def test_hostile_text_makes_no_element_and_no_handler(page: Page) -> None:
    assert len(page.all("script")) == 1  # ours, which the policy names by its digest
    assert not {"img", "iframe", "object", "embed", "link", "base", "form"} & {tag for tag, _ in page.elements}
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]


def test_hostile_text_is_shown_as_it_was_written(page: Page) -> None:
    assert HOSTILE in page.text
    assert "onerror=alert(1)" in page.text
    assert "{{ 7*7 }}" in page.text
    assert "\\u202egnp.exe\\u2066" in page.text


def test_nothing_reorders_or_hides_what_stands_around_it(html: str) -> None:
    assert not re.search(r"[\u202a-\u202e\u2066\u2067\u2069\x1b]", html)


def test_the_page_asks_the_network_for_nothing(page: Page, html: str) -> None:
    for _, attributes in page.elements:
        for name, value in attributes.items():
            if name in {"src", "href", "srcset", "poster", "data", "action", "xlink:href"}:
                assert str(value).startswith("#"), (name, value)
    style = html[html.index("<style>") : html.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    policy = [each["content"] for each in page.all("meta") if each.get("http-equiv") == "Content-Security-Policy"]
    script = html.split("<script>")[1].split("</script>")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy == [f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"]


def test_the_numbers_of_the_page_are_those_of_the_files(page: Page, written: Path) -> None:
    table = pq.read_table(written / "results.parquet").to_pylist()
    for recipe in {row["recipe"] for row in table}:
        for labels in ("50", "500"):
            scores = [row["test_macro_f1"] for row in table if (row["recipe"], row["labels"], row["status"]) == (recipe, labels, "done")]
            assert f"{mean(scores):.3f} ±" in page.text
    verdicts = ("+0.041 −0.012 to +0.093", "−0.035 −0.061 to −0.008", "+0.043 +0.019 to +0.067", "+0.008 −0.021 to +0.038")
    facts = ("2,503", "1,043", "1.2 %", "41,000", "3.214 → 2.487", "22.7 M", "90.9 MB", "910 MB", "32 T", "145.2", "2026-01-02 03:04 UTC")
    for expected in (*verdicts, *facts):
        assert expected in page.text, expected
    # 17 finished runs at 50.25 s each, and 40.5 s each pro rata.
    assert "14 min 14 s" in page.text
    assert "11 min 28 s" in page.text


def test_failed_runs_stand_there_with_their_errors(page: Page) -> None:
    assert "1 of 18 runs failed" in page.text
    assert "out of memory" in page.text
    assert "2 of 3" in page.text


def test_the_page_tells_how_to_repeat_the_study(page: Page) -> None:
    for expected in ("acclimate study study.yaml", "base: model", "2.13.0", "Linux x86_64", "8 GB"):
        assert expected in page.text


def test_every_link_leads_to_a_section(page: Page) -> None:
    places = {attributes["id"] for _, attributes in page.elements if "id" in attributes}
    links = [str(each["href"]) for each in page.all("a")]
    assert links
    assert {link[1:] for link in links} <= places


def test_every_table_and_plot_can_be_read_without_seeing_it(page: Page) -> None:
    assert page.all("th")
    assert all(each.get("scope") in {"col", "row"} for each in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    hidden = 2  # the axes, whose numbers stand beside each mark
    plots = [each for each in page.all("svg") if each.get("role") == "img"]
    assert len(plots) == len(page.all("svg")) - hidden
    assert all(str(each["aria-label"]).strip() for each in plots)
    assert any("+0.043, 95 % interval +0.019 to +0.067, better" in str(each["aria-label"]) for each in plots)
    assert page.all("html")[0]["lang"] == "en"


def test_notes_stand_there_once(page: Page) -> None:
    assert page.text.count("a fresh MLM head was made") == 1


def test_notes_that_differ_in_figures_alone_are_told_once(results_of: Callable[..., Results]) -> None:
    stage = {"stage": "pretrain", "recipes": ["DAPT"]}
    seeds = [stage | {"key": f"d{seed}", "seed": seed, "notes": [f"loss rose from 3.4 to 3.{seed}", "a new head"]} for seed in range(3)]
    other = stage | {"key": "t", "seed": 0, "recipes": ["TAPT"], "notes": ["loss rose from 3.4 to 3.9"]}
    notes = View(results_of({"DAPT": {"all": [0.8]}, "TAPT": {"all": [0.8]}}, reference="DAPT", stages=[*seeds, other])).notes
    assert notes == (
        "DAPT: loss rose from 3.4 to 3.0 (and 2 more like it, with other figures)",
        "DAPT: a new head",
        "TAPT: loss rose from 3.4 to 3.9",
    )


def test_notes_of_recipes_whose_names_differ_in_figures_stay_apart(results_of: Callable[..., Results]) -> None:
    names = ["lr 0.1", "lr 0.2"]
    stages = [{"stage": "pretrain", "key": name, "seed": 0, "recipes": [name], "notes": [f"loss rose to {name[-1]}.5"]} for name in names]
    written = ["lr 0.1: loss rose to 1.5", "lr 0.2: loss rose to 2.5"]
    results = results_of({name: {"all": [0.8]} for name in names}, reference="lr 0.1", stages=stages, notes=written)
    assert View(results).notes == tuple(written)


@pytest.mark.measured(0)
def test_the_page_is_the_same_for_the_same_files(written: Path, folder: Path, html: str) -> None:
    assert render(Results.load(written)) == html == render(Results.load(folder)).replace(str(folder), str(written))


def test_a_study_of_which_nothing_worked_still_gets_its_page(results_of: Callable[..., Results]) -> None:
    page = Page(render(results_of({"fine-tune": {"50": ["bad <b>"], "all": ["worse"]}})))
    assert "All 2 runs failed" in page.text
    assert "bad <b>" in page.text


def test_one_recipe_alone_gets_its_page_without_a_comparison(results_of: Callable[..., Results]) -> None:
    html = render(results_of({"fine-tune": {"all": [0.8]}}))
    page = Page(html)
    assert 'class="forest"' not in html
    assert "Quality against cost" not in page.text
    assert page.open == []


def test_a_smoke_run_is_marked(results_of: Callable[..., Results]) -> None:
    assert "Smoke run:" in Page(render(results_of({"fine-tune": {"all": [0.8]}}, smoke=True))).text


def test_no_page_is_written_beside_missing_files(folder: Path) -> None:
    (folder / "verdicts.json").unlink()
    with pytest.raises(SettingsError):
        write_report(folder)
    assert not (folder / "report.html").exists()


def test_a_report_loads_no_deep_learning_library(folder: Path) -> None:
    code = (
        "import sys, pathlib; from acclimate.report.pages.page import write_report; write_report(pathlib.Path(sys.argv[1]));"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code, str(folder)], check=True)


@pytest.mark.parametrize("scheme", [":root {", "@media (prefers-color-scheme: dark) {"])
def test_text_has_enough_contrast(html: str, scheme: str) -> None:
    block = html[html.index(scheme) :]
    colors = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block[: block.index("}")]))
    for ink in ("ink", "soft", "better", "worse", "unclear", "accent"):
        for ground in ("page", "band", "mark"):
            # WCAG 2.1, level AA.
            assert _contrast(colors[ink], colors[ground]) >= 4.5, (ink, ground)
    strengths = []
    for shade in range(1, 10):
        style = re.search(rf"\.shade{shade} {{([^}}]*)}}", html)[1]  # type: ignore[index]
        strengths.append(int(found[1]) if (found := re.search(r"(\d+)%", style)) else 100)
        text = colors["page" if "color: var(--page)" in style else "ink"]
        assert _contrast(text, _mixed(colors["accent"], colors["page"], strengths[-1] / 100)) >= 4.5, shade
    assert strengths == sorted(set(strengths))  # each is darker than the one before: a heat map tells 60 % from 100 %


def _mixed(one: str, other: str, share: float) -> str:
    parts = (round(share * int(one[place : place + 2], 16) + (1 - share) * int(other[place : place + 2], 16)) for place in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in parts)


def _contrast(one: str, other: str) -> float:
    """WCAG 2.1's contrast ratio of two colours, 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(color: str) -> float:
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_a_page_for_others_shows_no_text_of_the_data_and_no_folder_of_this_machine(folder: Path, tmp_path: Path) -> None:
    corpora = {"laws": "../acme/laws/*.txt", "talks": {"path": ["~/acme/a.txt", "acme/talks:v2[train]"], "remove": ["a/b"]}}
    base = {"layers_of": "../../acme/mini", "keep": 2}
    recipes = {"a/b": {"base": "/home/acme,y/mini"}, "c": {"base": base}, "d": {"base": {"layers_of": "a/b", "keep": 2}}}
    task = {"path": "acme/talks", "train": "/x/acme y/c.txt"}
    (folder / "study.yaml").write_text(dump({"base": "acme/bert", "data": {"task": task, "corpora": corpora}, "recipes": recipes}))
    study = json.loads((folder / "study.json").read_text())
    study |= {"bases": [{"name": "acme/bert", "hub": True}], "hub_datasets": {"task": ["acme/talks"]}, "notes": ["read /home/acme/b/c.txt"]}
    study["command"] = "acclimate study ../acme/e.yaml --seeds 3"
    study["data"]["task"] |= {"rejected": 1, "rejects_file": "/home/acme/out/task.jsonl"}
    (folder / "study.json").write_text(json.dumps(study))
    pages = [write_reports([folder], tmp_path / f"{public}.html", public).read_text(encoding="utf-8") for public in (False, True)]
    assert ["disagreement" in [each.get("class") for each in Page(html).all("div")] for html in pages] == [True, False]
    assert ["left out of this page" not in html for html in pages] == [True, False]
    assert ["read …/c.txt" in html for html in pages] == [False, True]
    shown = Page(pages[1]).text
    for kept in (
        "base: acme/bert",
        "path: acme/talks",
        "acme/talks:v2[train]",
        "…/*.txt",
        "…/a.txt",
        "…/c.txt",
        "layers_of: a/b",
        "a/b]",
    ):
        assert kept in shown, kept
    assert "acclimate study e.yaml --seeds 3" in shown
    assert "acme" not in shown.replace("acme/bert", "").replace("acme/talks", "")
