"""The attention of models as a page shows it: maps of one text, and how far every head moved, as tables of layers by heads."""

import binascii
import json
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from acclimate.errors import SettingsError
from acclimate.inert import one_line
from acclimate.report.charts.attention import Maps, page_svg
from acclimate.report.charts.svg import Figure
from acclimate.report.tables.chosen import SHADES
from acclimate.report.tables.grid import Grid

Facts = Mapping[str, Any]

WARNING = (
    "Attention is not explanation: very different maps can give the same answer (Jain & Wallace 2019), and whether a map explains anything "
    "depends on what is asked of it (Wiegreffe & Pinter 2019). A map shows what a head reads, not why the model decides."
)


@dataclass(frozen=True)
class Heat:
    """How far each head moved from one model to another: divergences [K][H] in bits, their shades in tenths, and CKA [K]."""

    before: str
    after: str
    cells: tuple[tuple[str, ...], ...]
    shades: tuple[tuple[int, ...], ...]
    cka: tuple[str, ...]

    @property
    def title(self) -> str:
        """What it is of."""
        return f"How far each head moved: {self.before} → {self.after}"

    @property
    def grid(self) -> Grid:
        """The same for Markdown and terminals."""
        heads = tuple(f"head {number}" for number in range(1, len(self.cells[0]) + 1)) if self.cells else ()
        rows = tuple((f"layer {place}", *row, cka) for place, (row, cka) in enumerate(zip(self.cells, self.cka, strict=True), start=1))
        return Grid(f"{self.title} (Jensen-Shannon divergence, bits), and how alike the layer stayed (CKA)", ("", *heads, "CKA"), rows)


@dataclass(frozen=True)
class Attended:
    """All that is shown of the attention of some models."""

    facts: Facts
    public: bool = False
    """Without the text, and so without maps."""

    @cached_property
    def models(self) -> tuple[Maps, ...]:
        """Their maps; none where the page is public."""
        return () if self.public else tuple(map(_maps, self.facts["models"]))

    @property
    def names(self) -> tuple[str, ...]:
        """Of the models."""
        return tuple(one_line(str(model["name"])) for model in self.facts["models"])

    @property
    def layer(self) -> int:
        """That is shown first, from 1."""
        return int(self.facts["shown"]["layer"])

    @property
    def head(self) -> int:
        """That is shown first, from 1."""
        return int(self.facts["shown"]["head"])

    @property
    def most_layers(self) -> int:
        """Of the deepest model."""
        return max(maps.layers for maps in self.models)

    @property
    def most_heads(self) -> int:
        """Of the model with the most."""
        return max(maps.heads for maps in self.models)

    @cached_property
    def figures(self) -> tuple[Figure, ...]:
        """The map of the shown head, of every model."""
        layer, head = self.layer, self.head
        return tuple(
            Figure(f"attention-{number}", maps.name, maps.says(layer, head), page_svg(maps, layer, head))
            for number, maps in enumerate(self.models, start=1)
        )

    @cached_property
    def data(self) -> str:
        """What the page's script needs, as JSON."""
        return json.dumps(
            [
                {"name": maps.name, "tokens": maps.tokens, "layers": maps.layers, "heads": maps.heads, "maps": maps.encoded}
                for maps in self.models
            ]
        )

    @property
    def kilobytes(self) -> int:
        """What the maps add to a page."""
        return round((len(self.data) + sum(len(figure.svg) for figure in self.figures)) / 1000)

    @cached_property
    def heats(self) -> tuple[Heat, ...]:
        """From each model to the next, and from the first to the last."""
        moved = self.facts.get("moved")
        return tuple(_heat(pair, self.names) for pair in moved["pairs"]) if moved else ()

    @property
    def sample(self) -> str:
        """Over what heads were compared."""
        moved = self.facts.get("moved")
        if not moved:
            return ""
        if not moved["sample"]:
            return "the sentence alone: another sentence gives other numbers, so name texts with `acclimate attention --texts`"
        cut = f", the first {moved['most_tokens']} tokens of {moved['cut']} longer ones" if moved["cut"] else ""
        return f"{moved['texts']:,} texts, {moved['tokens']:,} tokens{cut}"

    @property
    def said(self) -> str:
        """How far the shown head moved, beside the one that moved most."""
        if not self.heats:
            return ""
        rows = self.facts["moved"]["pairs"][-1]["divergence"]
        heat = self.heats[-1]
        order = sorted(((-value, layer, head) for layer, row in enumerate(rows) for head, value in enumerate(row)))
        (least, layer, head), places = order[0], {(layer + 1, head + 1): place for place, (_, layer, head) in enumerate(order, start=1)}
        digits = _digits(-least)
        sentence = (
            f"From {heat.before} to {heat.after} head {head + 1} of layer {layer + 1} moved most, by {-least:.{digits}f} bits a token "
            f"(of 1 at most); the mean of all {len(order)} heads is {-sum(value for value, *_ in order) / len(order):.{digits}f}"
        )
        if not least:
            sentence = f"From {heat.before} to {heat.after} no head moved by as much as {10**-digits:.{digits}f} bits a token"
        elif (self.layer, self.head) != (layer + 1, head + 1) and (place := places.get((self.layer, self.head))):
            sentence += f"; head {self.head} of layer {self.layer} moved by {-order[place - 1][0]:.{digits}f}, place {place}"
        return f"{sentence}. Measured over {self.sample}."

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known besides."""
        cut = ("the text is longer: its first tokens are shown",) if self.facts.get("cut") else ()
        return (*cut, *map(str, self.facts.get("notes") or ()))

    @property
    def warning(self) -> str:
        """What no map tells."""
        return WARNING

    @property
    def attributions(self) -> tuple["Added", ...]:
        """What tokens add to a label's logit, a model each; nothing where nobody asked."""
        return () if self.public else tuple(_added(each) for each in self.facts.get("attributions") or ())


@dataclass(frozen=True)
class Added:
    """What the tokens of a text add to a label's logit, each with its shade from -9 to 9."""

    title: str
    tokens: tuple[tuple[str, str, int], ...]
    said: str

    @property
    def grid(self) -> Grid:
        """For Markdown and terminals."""
        return Grid(self.title, ("token", "adds"), tuple((token, value) for token, value, _ in self.tokens), frozenset({0}))


def attended(facts: Facts, public: bool = False) -> Attended:
    """What `attention_facts` found, ready to be shown.

    Raises:
        SettingsError: it is not what was written.
    """
    found = Attended(facts, public)
    try:
        _ = (found.models, found.heats, found.layer, found.head, found.said)
    except (KeyError, TypeError, ValueError, IndexError, binascii.Error) as error:
        raise SettingsError(f"attention.json: is not as acclimate wrote it ({error}); run the study again") from error
    return found


def _maps(model: Facts) -> Maps:
    tokens = tuple(one_line(str(token)) for token in model["tokens"])
    sizes = (int(model["layers"]), int(model["heads"]), len(tokens), len(tokens))
    return Maps(one_line(str(model["name"])), tokens, np.frombuffer(b64decode(model["maps"]), np.uint8).reshape(sizes), str(model["maps"]))


def _heat(pair: Facts, names: tuple[str, ...]) -> Heat:
    rows = pair["divergence"]
    most = max((value for row in rows for value in row), default=0)
    cells = tuple(tuple(f"{value:.{_digits(most)}f}" for value in row) for row in rows)
    shades = tuple(tuple(min(int(SHADES * value / (most or 1)), SHADES - 1) for value in row) for row in rows)
    cka = tuple("–" if value is None else f"{value:.3f}" for value in pair["cka"])
    return Heat(names[pair["before"]], names[pair["after"]], cells, shades, cka)


def _digits(most: float) -> int:
    # All that is kept (`DIGITS` of the measurement) where three would show zeros alone.
    return 3 if most >= 0.01 else 5


def _added(found: Facts) -> Added:
    most = max(map(abs, found["values"]), default=0) or 1
    tokens = tuple(
        (one_line(token), f"{value:+.3f}", round((SHADES - 1) * value / most))
        for token, value in zip(found["tokens"], found["values"], strict=True)
    )
    name, label = one_line(str(found["name"])), one_line(str(found["label"]))
    ends = "" if found["complete"] else "; that is too far apart, so do not trust these numbers"
    said = (
        f"The logit of {label} is {found['logit']:+.3f}, and {found['masked']:+.3f} with every word masked: the tokens add up to "
        f"{sum(found['values']):+.3f}, which misses the difference by {abs(found['gap']):.4f} ({found['steps']} steps{ends})."
    )
    return Added(f"What each token adds to the logit of {label}, by {name}", tokens, said)
