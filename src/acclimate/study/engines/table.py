"""The engines, all in one place, each made of the number of workers asked for. A new engine is one new file and one line here."""

from collections.abc import Callable

from acclimate.study.engines.base import Engine
from acclimate.study.engines.inline import Inline
from acclimate.study.engines.local import Local

ENGINES: dict[str, Callable[[int | None], Engine]] = {"inline": Inline, "local": Local}
