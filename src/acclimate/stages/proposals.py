"""Which values a search tries next: a pure function of what is searched, the seed, and how the trials before came out.

Named values are tried each with each. Of ranges, the first half of the trials is spread evenly (a shifted Kronecker sequence), which for
so few covers a range better than random draws do; the rest comes from optuna's tree of Parzen estimators (Bergstra et al. 2011).
"""

import importlib.util
import itertools
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from acclimate.errors import MissingExtraError
from acclimate.randomness import generator, seed_of
from acclimate.stages.search import Search
from acclimate.stages.searchable import Searchable

Found = Mapping[str, float]  # values by the name of the setting
EVEN_SHARE = 0.5  # of the trials


class Grid:
    """Every combination of named values; where there are to be fewer trials, so many drawn by the seed."""

    def __init__(self, stage: Searchable, seed: int) -> None:
        every = [dict(zip(stage.searches, values, strict=True)) for values in itertools.product(*map(_listed, stage.searches.values()))]
        taken = range(len(every))
        if stage.trials < len(every):
            taken = sorted(generator(seed, "search").permutation(len(every))[: stage.trials].tolist())  # type: ignore[assignment]
        self._rest = iter([every[place] for place in taken])

    def ask(self) -> Found:
        """The values of the next trial."""
        return next(self._rest)

    def tell(self, merit: float | None) -> None:
        """How that trial came out: nothing follows from it."""


class Parzen:
    """Values that are likely to do better than most of those that were tried."""

    def __init__(self, stage: Searchable, seed: int) -> None:
        """Raises MissingExtraError where optuna is not installed."""
        check_installed(stage)
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        even = even_trials(stage)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what is experimental there is pinned by our key, which holds optuna's version
            sampler = optuna.samplers.TPESampler(
                seed=seed_of(seed, "search") % 2**32, n_startup_trials=even, multivariate=len(stage.searches) > 1
            )
        self._study = optuna.create_study(direction="maximize", sampler=sampler)
        self._space = {name: _distribution(search, stage.is_whole(name)) for name, search in stage.searches.items()}
        for point in _spread(len(self._space), even, seed):
            values = zip(stage.searches.items(), point, strict=True)
            self._study.enqueue_trial({name: _at(search, share, stage.is_whole(name)) for (name, search), share in values})
        self._trial: Any = None

    def ask(self) -> Found:
        """The values of the next trial."""
        self._trial = self._study.ask(self._space)
        return dict(self._trial.params)

    def tell(self, merit: float | None) -> None:
        """How that trial came out, the higher the better; None where it diverged."""
        import optuna

        # A trial that diverged is an answer: of all that was tried nothing is worse.
        known = [trial.value for trial in self._study.get_trials(deepcopy=False) if trial.value is not None]
        worst = min(known, default=0.0)
        self._study.tell(self._trial, worst if merit is None else merit, state=optuna.trial.TrialState.COMPLETE)


def proposals(stage: Searchable, seed: int) -> Grid | Parzen:
    """What proposes the values of a stage's trials."""
    return Grid(stage, seed) if stage.is_grid else Parzen(stage, seed)


def even_trials(stage: Searchable) -> int:
    """How many of the trials are spread evenly, whatever comes out of them."""
    return math.ceil(EVEN_SHARE * stage.trials)


def check_installed(stage: Searchable) -> None:
    """Refuse a range where nothing is there to search it.

    Raises:
        MissingExtraError: optuna is not installed.
    """
    if not stage.is_grid and importlib.util.find_spec("optuna") is None:
        names = ", ".join(name for name, search in stage.searches.items() if search.listed is None)
        raise MissingExtraError(
            f'a range is searched with optuna ({names}): pip install "acclimate[search]", or name the values: {{search: {{of: [...]}}}}'
        )


def _listed(search: Search) -> tuple[float, ...]:
    assert search.listed is not None
    return search.listed


def _distribution(search: Search, whole: bool) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if search.listed is not None:
        return CategoricalDistribution(search.listed)
    low, high = search.ends
    return IntDistribution(int(low), int(high), log=search.logarithmic) if whole else FloatDistribution(low, high, log=search.logarithmic)


def _spread(settings: int, points: int, seed: int) -> Sequence[Sequence[float]]:
    """Points in the unit cube, as evenly as a sequence can be that has no end."""
    # The root of x^(settings + 1) = x + 1: the golden ratio, and what generalises it.
    root = 2.0
    for _ in range(64):
        root = (1 + root) ** (1 / (settings + 1))
    shift = generator(seed, "search").random(settings)
    return [[float((shift[place] + number / root ** (place + 1)) % 1) for place in range(settings)] for number in range(points)]


def _at(search: Search, share: float, whole: bool) -> float:
    """The value at a share of the way through what is searched."""
    if search.listed is not None:
        return search.listed[min(int(share * len(search.listed)), len(search.listed) - 1)]
    low, high = search.ends
    if whole:  # every number its own part of the range
        low, high = low - 0.5 if not search.logarithmic else low, high + 0.5 if not search.logarithmic else high
    value = low * (high / low) ** share if search.logarithmic else low + share * (high - low)
    low, high = search.ends
    value = min(max(value, low), high)
    return round(value) if whole else value
