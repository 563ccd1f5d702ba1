"""Maps of attention as SVG: a square a weight, the tokens beside rows and over columns; for a page, and alone for a paper."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from markupsafe import escape
from numpy.typing import NDArray

from acclimate.report.charts.svg import ACCENT, FONT, INK, LINE, SOFT

CELL, TEXT, LETTER, GAP = 14, 11, 6.4, 28  # pixels: a weight, a letter's height and usual width, between maps
LONGEST = 14  # letters of a token that are written
MARK = "<!-- acclimate attention -->"
STRONGEST = 3  # weights that are told in words


@dataclass(frozen=True)
class Maps:
    """The attention of one model for one text."""

    name: str
    tokens: tuple[str, ...]
    weights: NDArray[np.uint8]
    """[K, H, T, T] in 255ths."""
    encoded: str
    """The same as base64."""

    @property
    def layers(self) -> int:
        return len(self.weights)

    @property
    def heads(self) -> int:
        return int(self.weights.shape[1])

    def has(self, layer: int, head: int) -> bool:
        """Whether there is such a head, counted from 1."""
        return layer <= self.layers and head <= self.heads

    def of(self, layer: int, head: int) -> NDArray[np.float64]:
        """[T, T] weights of a head, counted from 1; nothing where there is none."""
        if not self.has(layer, head):
            return np.zeros(self.weights.shape[2:])
        found: NDArray[np.float64] = self.weights[layer - 1, head - 1] / 255
        return found

    def says(self, layer: int, head: int) -> str:
        """A map in a line, for those who listen."""
        if not self.has(layer, head):
            return f"{self.name} has no layer {layer}, head {head}"
        weights = self.of(layer, head)
        order = np.argsort(-weights, axis=None, kind="stable")[:STRONGEST]
        pairs = [divmod(int(place), len(self.tokens)) for place in order]
        told = ", ".join(f"{self.tokens[row]} to {self.tokens[column]} {weights[row, column]:.2f}" for row, column in pairs)
        return f"{self.name}, layer {layer}, head {head}; strongest: {told}"

    @cached_property
    def left(self) -> int:
        """Pixels that the longest token takes."""
        return int(max(map(len, map(_short, self.tokens))) * LETTER) + 8

    @property
    def side(self) -> int:
        """Pixels of all rows, or columns."""
        return CELL * len(self.tokens)


def page_svg(maps: Maps, layer: int, head: int) -> str:
    """One map for a page, whose script changes the opacity of the squares."""
    width, height = maps.left + maps.side + 2, maps.left + maps.side + 2
    return f"<svg {_frame(width, height)}>{_panel(maps, layer, head, whole=True)}</svg>"


def paper_svg(models: Sequence[Maps], layer: int, head: int) -> str:
    """Maps side by side, each under its model's name, as a file of its own."""
    parts, x, top = [], 0, 22
    for maps in models:
        title = f'<text x="{maps.left}" y="13" font-size="12" font-weight="600" fill="{INK}">{escape(_title(maps, layer, head))}</text>'
        parts.append(f'<g transform="translate({x} 0)">{title}<g transform="translate(0 {top})">{_panel(maps, layer, head)}</g></g>')
        x += max(maps.left + maps.side, maps.left + int(len(_title(maps, layer, head)) * 7)) + GAP
    height = top + max(maps.left + maps.side for maps in models) + 2
    return f"<svg {_frame(x - GAP + 2, height)}>{MARK}{''.join(parts)}</svg>\n"


def _title(maps: Maps, layer: int, head: int) -> str:
    return f"{maps.name}: layer {layer}, head {head}" if maps.has(layer, head) else f"{maps.name}: no such head"


def _frame(width: int, height: int) -> str:
    return (
        f'xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" font-family="{escape(FONT)}"'
    )


def _panel(maps: Maps, layer: int, head: int, whole: bool = False) -> str:
    # `whole`: also squares that nothing is seen of, for a script to fill.
    weights, left = maps.of(layer, head), maps.left
    rows, columns = [], []
    for place, token in enumerate(maps.tokens):
        middle = left + CELL * place + CELL // 2
        label = escape(_short(token))
        rows.append(f'<text x="{left - 4}" y="{middle + 4}" text-anchor="end">{label}</text>')
        columns.append(f'<text transform="translate({middle + 4} {left - 4}) rotate(-90)">{label}</text>')
    squares = [
        f'<path d="M{column} {row}h1v1h-1z" opacity="{_opacity(weight)}"/>'
        for row, line in enumerate(weights.tolist())
        for column, weight in enumerate(line)
        if whole or weight >= 0.005
    ]
    edge = f'<rect x="{left}" y="{left}" width="{maps.side}" height="{maps.side}" fill="none" stroke="{LINE}"/>'
    mark = f'<rect class="row" x="{left}" y="{left}" width="{maps.side}" height="{CELL}" fill="none" stroke="{SOFT}" opacity="0"/>'
    return (
        f'<g font-size="{TEXT}" fill="{INK}">{"".join(rows)}{"".join(columns)}</g>{edge}'
        f'<g class="cells" fill="{ACCENT}" transform="translate({left} {left}) scale({CELL})">{"".join(squares)}</g>{mark * whole}'
    )


def _opacity(weight: float) -> str:
    return f"{weight:.2f}".removeprefix("0") if weight < 0.995 else "1"


def _short(token: str) -> str:
    return token if len(token) <= LONGEST else f"{token[: LONGEST - 1]}…"
