"""A person at the page, in a real browser: from two files to a verdict, by keyboard, hostile names in them, the server killed meanwhile."""

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from tests.chromium import chromium
from tests.modeling.conftest import build_tiny, make_base
from tests.page.conftest import HOSTILE, TOKEN, rows
from tests.serving.test_served_answers import classifier
from tests.study.conftest import tiny_model

from acclimate.page import models
from acclimate.page.app import make_page
from acclimate.page.home import Home
from acclimate.page.models import Model
from acclimate.serving.limits import Limits
from acclimate.serving.server import Stoppable, address_of, config_of, listen
from acclimate.study.watch.status import Process, StageStatus, Status, write_status

LABELS = (HOSTILE, "</textarea><script>alert(4)</script>")


@pytest.fixture(scope="module")
def browser():
    with chromium() as found:
        yield found


@contextlib.contextmanager
def serving(folder, port):
    """`acclimate ui` as somebody starts it; killed at the end, as by a power cut."""
    command = [sys.executable, "-P", "-m", "acclimate", "ui", str(folder), "--port", str(port)]
    with subprocess.Popen(command, env={**os.environ, "ACCLIMATE_TOKEN": TOKEN}, stderr=subprocess.PIPE, text=True) as server:
        try:
            yield re.search(r"open (\S+) ", server.stderr.readline())[1]
        finally:
            server.send_signal(signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.measured(0)
def test_from_two_files_to_a_verdict_with_the_server_killed_in_the_middle(browser, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    tiny_model(home / "model")
    name = "<img src=http:evil.example onerror=alert(3)>.jsonl"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = []
    context = browser.new_context(viewport={"width": 390, "height": 800}, color_scheme="dark")
    context.set_default_timeout(0)
    page = context.new_page()
    page.on("pageerror", lambda error: said.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (said.append(f"dialog: {dialog.message}"), dialog.dismiss()))
    page.on("request", lambda request: None if request.url.startswith(f"http://127.0.0.1:{port}/") else said.append(request.url))
    page.on("console", lambda message: said.append(message.text) if "Content Security Policy" in message.text else None)

    def press(words, key="Enter"):
        """Reached by Tab alone, as without a mouse."""
        for _ in range(200):
            found = page.evaluate("document.activeElement.innerText || document.activeElement.value || ''")
            if words in found and page.evaluate("document.activeElement !== document.body"):
                page.keyboard.press(key)
                return
            page.keyboard.press("Tab")
        raise AssertionError(f"{words} cannot be reached by Tab")

    def eventually(expression):
        # playwright's own way evaluates a string in the page, which the page's policy forbids
        while not page.evaluate(expression):
            page.wait_for_timeout(20)

    def fits():
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 24, 28)"

    with serving(home, port) as address:
        page.goto(address)
        assert "token" not in page.url
        body = "".join(json.dumps(row) + "\n" for row in rows(120, labels=LABELS)).encode()
        field = "".join(f"{row['text']}\n" for row in rows(60, seed=1)).encode()
        dropped = {name: body, "field.txt": field}
        page.set_input_files("#file", [{"name": name, "mimeType": "text/plain", "buffer": data} for name, data in dropped.items()])
        page.get_by_text("field.txt: there").wait_for()
        fits()
        press("Look at them")
        page.get_by_text("What was found").wait_for()
        fits()
        assert page.locator("img").count() == 0
        page.fill("[name=base]", "model")
        page.keyboard.press("Tab")
        eventually("document.querySelector('#study textarea').value.includes('base: model')")
        page.fill("[name=seeds]", "2")
        page.keyboard.press("Tab")
        for recipe in ("majority", "head only", "TAPT", "DAPT domain"):
            page.locator(f"[name=recipe][value='{recipe}']").focus()
            page.keyboard.press("Space")
            eventually(f"!/^  {recipe}:/m.test(document.querySelector('#study textarea').value)")
            eventually("document.querySelector('#compose').getAttribute('aria-busy') === 'false'")
        written = page.evaluate("document.querySelector('#study textarea').value")
        assert written.endswith("recipes:\n  fine-tune: [{finetune: {lr: 0.0002}}]\n  tfidf: {base: tfidf}\n")
        press("Save")
        page.get_by_text("not run yet").wait_for()
        press("Run it")
        page.locator("#tree li.running").first.wait_for()
        fits()
    page.locator("#lost").wait_for()
    with serving(home, port):
        page.locator("#lost").wait_for(state="hidden")
        page.get_by_text("Results: report").wait_for()
        assert "fine-tune" in page.locator("#tree").inner_text()
        press("Results: report")
        report = page.frame_locator("iframe[title='The report']")
        report.locator(".verdict").wait_for()
        assert "fine-tune" in report.locator(".verdict").inner_text()
        assert report.locator("img").count() == 0
        page.locator("textarea[name=text]").fill(f"the match and the goal {HOSTILE}")
        for box in page.locator("[name=model]").all():
            box.check()
        press("Ask them")
        page.locator(".answers meter").first.wait_for()
        assert page.locator(".answers section").count() == page.locator("[name=model]").count() >= 3
        fits()
        with page.expect_download() as taken:
            page.get_by_text("take away the folder best (zip)").click()
        assert Path(taken.value.path()).read_bytes()[:2] == b"PK"
    assert said == []
    context.close()


@contextlib.contextmanager
def serving_here(folder):
    """The page of a folder, served by a thread of this process: its address."""
    with listen("127.0.0.1", 0) as taken:
        app = make_page(Home.of(folder), TOKEN, taken.getsockname()[1], lambda line: None)
        server = Stoppable(config_of(app, Limits()), lambda: None)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [taken]})
        thread.start()
        try:
            yield address_of(taken)
        finally:
            server.should_exit = True
            thread.join()


@pytest.mark.measured(1)
def test_more_tabs_than_a_browser_opens_connections_are_told_what_changes_by_one_of_them_and_the_server_answers_others(browser, folder):
    (folder / "study.yaml").write_text("data: { task: { path: data/news.jsonl } }\nrecipes: { a: { base: majority } }\n")
    (folder / "results" / "study").mkdir(parents=True)

    def tell(stage):
        stages = (StageStatus("a" * 64, None, stage, 1, "running"),)
        write_status(folder / "results" / "study", Status("study", "running", time.time(), time.time(), stages, process=Process.this()))

    tell("the first stage")
    with serving_here(folder) as address:
        context = browser.new_context()
        context.set_default_timeout(0)
        asked = []
        context.on("request", lambda request: asked.append(request.frame.page) if "/events" in request.url else None)
        tabs = [context.new_page() for _ in range(9)]
        tabs[0].goto(f"{address}/?token={TOKEN}")
        for tab in tabs:  # a browser opens six connections to a server, so that here the seventh would wait for ever
            tab.goto(f"{address}/study?file=study.yaml")
        for stage in ("the second stage", "the third stage"):
            tell(stage)
            for tab in tabs:
                tab.get_by_text(stage).wait_for()
            assert [tab.locator("#lost").is_visible() for tab in tabs] == [False] * len(tabs)
            tabs[-1].goto(f"{address}/")
            tabs[-1].goto(f"{address}/study?file=study.yaml")
            assert len(asked) == 1 + (stage == "the third stage")
            tabs.remove(asked[-1])
            asked[-1].close()  # another one asks from now on
        context.close()


@pytest.mark.measured(1)
def test_labels_neighbours_and_attention_of_a_text_of_ones_own_fit_on_a_desk_and_on_a_phone(browser, folder, monkeypatch):
    (folder / "study.yaml").write_text("data: { task: { path: data/news.jsonl } }\nrecipes: { a: { base: majority } }\n")
    vectors = make_base(folder / "vectors", build_tiny("bert", "mlm")).folder
    made = (Model("best", "best: fine-tune", classifier(folder / "classes")), Model("recipe vectors", "vectors", vectors))
    monkeypatch.setattr(models, "offered", lambda home, opened: made)
    with serving_here(folder) as address:
        context = browser.new_context()
        context.set_default_timeout(0)
        page = context.new_page()
        page.goto(f"{address}/?token={TOKEN}")
        page.goto(f"{address}/results?file=study.yaml")
        for box in page.locator("[name=model]").all():
            box.check()
        page.fill("textarea[name=text]", "the cat sat on the mat")
        page.get_by_role("button", name="Ask them").press("Enter")
        page.locator(".answers meter, [role=alert]").first.wait_for()
        assert (page.locator(".answers meter").count(), page.locator(".answers ol li").count()) == (3, 10)
        assert "news.jsonl:" in page.locator(".answers ol").inner_text()
        # By keyboard: while the page still loads it scrolls to the answers, and a click may go astray into the report's frame, unnoticed.
        page.get_by_text("What their heads attend to").press("Enter")
        shown = page.frame_locator("iframe[title='Maps of attention']")
        shown.locator("svg, [role=alert]").first.wait_for()
        said = shown.locator("main").inner_text()
        assert {"cat", "mat"} <= set(said.split())
        assert "best: fine-tune" in said
        assert str(folder) not in said + page.locator(".answers").inner_text()
        for width in (1280, 390):
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            frame = shown.locator("html")
            while frame.evaluate("page => page.clientWidth") > width:  # it is told of its new size a moment later
                page.wait_for_timeout(20)
            assert frame.evaluate("page => page.scrollWidth <= page.clientWidth")
        context.close()


LEADING_AWAY = ("<iframe src={}></iframe>", "<META http-equiv=refresh content='0;url={}'>", "<link rel=preconnect href={}>")


@pytest.mark.parametrize(("more", "shown"), [("", True), *((more, False) for more in LEADING_AWAY)])
def test_whatever_stands_in_the_place_of_a_report_neither_runs_nor_leaves(browser, folder, more, shown):
    (folder / "study.yaml").write_text("data: { task: { path: data/news.jsonl } }\nrecipes: { a: { base: majority } }\n")
    (folder / "results" / "study").mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as elsewhere, serving_here(folder) as address:
        other = f"http://127.0.0.1:{elsewhere.getsockname()[1]}/"
        (folder / "results" / "study" / "report.html").write_text(
            f"<p id=there>there</p><img src={other} onerror=\"there.textContent='ran'\">"
            f"<script>there.textContent = 'ran'; fetch('{other}'); parent.location = '{other}'</script><script src={other}></script>"
            f"<a href={other} ping={other}>a</a>{more.format(other)}"
        )
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{address}/?token={TOKEN}")
        page.evaluate(
            """() => new Promise(done => {
                const frame = document.createElement("iframe");
                Object.assign(frame, {sandbox: "allow-scripts", src: "/report?file=study.yaml", onload: done});
                document.body.append(frame);
            })"""
        )
        frame = page.frames[1]
        page.wait_for_timeout(500)  # in which it could have gone elsewhere
        text = frame.locator("body").inner_text()
        context.close()
        elsewhere.setblocking(False)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()  # nobody asked
    assert ("there" in text) == shown
    assert ("acclimate did not write this" in text) != shown
    assert "ran" not in text
