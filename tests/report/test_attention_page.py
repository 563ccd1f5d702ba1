"""Maps of attention: as SVG, as a page, and what a key or a click does there."""

import json
import re
from base64 import b64encode
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from tests.report.conftest import BREAKOUT, OVERRIDE
from tests.report.test_browser import browser, opened  # noqa: F401

from acclimate.errors import SettingsError
from acclimate.report.charts.attention import paper_svg
from acclimate.report.pages.attention_page import attention_page, write_attention
from acclimate.report.tables.attention import attended

TOKENS = ["[CLS]", BREAKOUT, f"bank{OVERRIDE}", "[SEP]"]


def model(name: str, seed: int, layers: int = 2, heads: int = 3) -> dict[str, Any]:
    weights = np.random.default_rng(seed).dirichlet(np.ones(4), (layers, heads, 4))
    maps = b64encode(np.round(weights * 255).astype(np.uint8).tobytes()).decode()
    return {"name": name, "tokens": TOKENS, "layers": layers, "heads": heads, "maps": maps}


@pytest.fixture
def facts() -> dict[str, Any]:
    moved = {
        "texts": 50, "tokens": 1207, "cut": 2, "most_tokens": 128, "sample": True,
        "pairs": [{"before": 0, "after": 1, "divergence": [[0.1, 0.2, 0.05], [0.3, 0.41, 0.0]], "cka": [0.98, None]}],
    }  # fmt: skip
    added = {"name": "after", "label": "good", "tokens": TOKENS, "values": [0.0, 0.5, -0.25, 0.0], "logit": 1.0, "masked": 0.5}
    return {
        "text": " ".join(TOKENS), "cut": False, "models": [model("before", 0), model("after", 1)], "moved": moved,
        "shown": {"layer": 2, "head": 2}, "notes": ["a note"],
        "attributions": [{**added, "gap": -0.25, "complete": False, "steps": 512}],
    }  # fmt: skip


def test_the_head_that_moved_most_is_told_beside_the_one_that_is_shown(facts: dict[str, Any]) -> None:
    assert attended(facts).said == (
        "From before to after head 2 of layer 2 moved most, by 0.410 bits a token (of 1 at most); the mean of all 6 heads is 0.177. "
        "Measured over 50 texts, 1,207 tokens, the first 128 tokens of 2 longer ones."
    )
    shown = attended({**facts, "shown": {"layer": 1, "head": 3}})
    assert "; head 3 of layer 1 moved by 0.050, place 5. " in shown.said
    (heat,) = shown.heats
    assert heat.shades[1] == (7, 9, 0)
    assert heat.cka == ("0.980", "–")


def test_what_hardly_moved_is_told_with_the_digits_that_show_it(facts: dict[str, Any]) -> None:
    (pair,) = facts["moved"]["pairs"]
    pair["divergence"] = [[0.00001, 0.0002, 0.0], [0.0, 0.0, 0.00005]]
    view = attended({**facts, "shown": {"layer": 2, "head": 3}})
    assert "moved most, by 0.00020 bits a token (of 1 at most); the mean of all 6 heads is 0.00004; head 3 of layer 2" in view.said
    assert "moved by 0.00005, place 2. " in view.said
    assert view.heats[0].cells[0] == ("0.00001", "0.00020", "0.00000")
    pair["divergence"] = [[0.0] * 3] * 2
    assert attended(facts).said.startswith("From before to after no head moved by as much as 0.00001 bits a token. Measured over")


def test_the_picture_for_papers_is_whole_svg_with_every_weight(facts: dict[str, Any]) -> None:
    svg = paper_svg(attended(facts).models, 2, 2)
    assert len(ElementTree.fromstring(svg).findall(".//{*}g[@class='cells']")) == 2
    assert svg.count("layer 2, head 2") == 2
    assert "<img" not in svg
    drawn = [float(f"0{each}") if each.startswith(".") else float(each) for each in re.findall(r'1h-1z" opacity="([.\d]+)"', svg)]
    wanted = np.concatenate([maps.of(2, 2).ravel() for maps in attended(facts).models])
    assert drawn == pytest.approx(wanted[wanted >= 0.005].round(2).tolist(), abs=0.0051)


def test_a_file_that_is_not_as_it_was_written_is_refused(facts: dict[str, Any]) -> None:
    facts["models"][0]["tokens"] = TOKENS[:2]
    with pytest.raises(SettingsError, match=r"attention\.json: is not as acclimate wrote it"):
        attended(facts)


def test_a_page_of_others_shows_neither_text_nor_maps(facts: dict[str, Any]) -> None:
    view = attended(facts, public=True)
    assert (view.models, view.attributions) == ((), ())
    assert view.heats


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1200, "dark")])
def test_layer_and_head_are_chosen_by_mouse_and_keys(
    opened: Any,  # noqa: F811
    facts: dict[str, Any],
    tmp_path: Path,
    width: int,
    scheme: str,
) -> None:
    write_attention(facts, tmp_path / "page.html", None)
    page, said = opened(tmp_path / "page.html", viewport={"width": width, "height": 800}, color_scheme=scheme)
    maps = attended(facts).models[0]
    figure = page.locator("figure.map").first

    def shown() -> list[float]:
        return [float(each) for each in figure.locator(".cells path").evaluate_all("all => all.map(each => each.getAttribute('opacity'))")]

    def wanted(layer: int, head: int) -> Any:
        return pytest.approx(maps.of(layer, head).ravel().tolist(), abs=0.0051)

    assert shown() == wanted(2, 2)
    page.locator("select[name=layer]").select_option("1")
    page.locator("select[name=head]").select_option("3")
    assert shown() == wanted(1, 3)
    page.get_by_role("button", name="layer 2, head 1").click()
    assert shown() == wanted(2, 1)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowUp")
    assert shown() == wanted(1, 2)
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "layer 1, head 2: 0.200"
    assert page.locator("button[aria-pressed=true]").count() == 1
    figure.locator(".cells path").nth(8).click()  # of the third row
    strongest = int(np.argmax(maps.of(1, 2)[2]))
    token = maps.tokens[strongest]
    assert figure.locator("output").inner_text().startswith(f"attends to: \u2068{token[:5]}")  # isolated: it may be written leftwards
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate("getComputedStyle(document.querySelector('blockquote')).unicodeBidi") == "plaintext"
    assert page.locator("img").count() == 0
    assert said == []


def test_the_page_carries_its_data_as_text_and_one_script(facts: dict[str, Any]) -> None:
    page = attention_page(facts)
    assert page.count("<script>") == 1
    assert "default-src 'none'" in page
    assert json.dumps(BREAKOUT)[1:-1] not in page
