"""The engines, all in one place. A new engine is one new file and one line here."""

from collections.abc import Callable

from acclimate.study.engines.base import Engine
from acclimate.study.engines.inline import Inline
from acclimate.study.engines.local import Local

ENGINES: dict[str, Callable[[], Engine]] = {"inline": Inline, "local": Local}
