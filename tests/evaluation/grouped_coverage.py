"""Studies whose test texts belong together, drawn many at a time: how often intervals hold the truth and equal recipes look different.

    python tests/evaluation/grouped_coverage.py

prints the table of docs/statistics.md. A text is answered rightly where skill, seed and luck outweigh its difficulty, of which a part is
its group's; how far two recipes find different texts hard is their own, and partly the group's, too.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.stats import norm, t

from acclimate.evaluation.statistics import combined

SKILL, NOISE, OWN = 0.8, 0.5, 1.0  # of a recipe; of luck, and of what a recipe finds hard, beside a text's difficulty of 1
SIZES = {"1": (1,), "2": (2,), "10": (10,), "1 to 20": (1, 1, 1, 1, 2, 2, 3, 4, 7, 20)}  # texts of a group, each as likely


@dataclass(frozen=True)
class Design:
    """Studies of one kind."""

    sizes: tuple[int, ...]
    groups: int = 200
    seeds: int = 5
    shift: float = 0.0  # of the second recipe's skill
    together: float = 0.5  # of what makes a text hard, the part (of the variance) that all texts of a group share
    seed_sd: float = 0.02

    @property
    def truth(self) -> float:
        """The true difference in accuracy."""
        spread = np.sqrt(1 + NOISE**2 + OWN**2 + self.seed_sd**2)
        return float(norm.cdf((SKILL + self.shift) / spread) - norm.cdf(SKILL / spread))


class Missed(NamedTuple):
    """Shares of studies."""

    grouped: float  # whose interval misses the truth, where the group is the unit
    alone: float  # where each text is taken to stand by itself
    ratio: float  # width of the first interval by that of the second, the median


def differences(rng, design, trials):
    """What each text contributes to the difference of accuracies [T, S, N], and where groups begin in N; the studies have equal sizes."""
    sizes = rng.choice(design.sizes, design.groups)
    starts = np.cumsum(sizes) - sizes

    def hard(spread):
        of_group = np.repeat(rng.standard_normal((trials, 1, design.groups), dtype=np.float32), sizes, axis=2)
        of_text = rng.standard_normal((trials, 1, sizes.sum()), dtype=np.float32)
        return spread * (np.sqrt(design.together) * of_group + np.sqrt(1 - design.together) * of_text)

    difficulty, right = hard(1.0), []
    for skill in (SKILL, SKILL + design.shift):
        seed = design.seed_sd * rng.standard_normal((trials, design.seeds, 1))
        luck = NOISE * rng.standard_normal((trials, design.seeds, sizes.sum()), dtype=np.float32)
        right.append(skill + seed + luck - difficulty - hard(OWN) > 0)
    return right[1].astype(np.float32) - right[0], starts


def by_group(d_TSN, starts):
    """As `statistics.by_group`, of many studies."""
    mean = d_TSN.mean(2, keepdims=True)
    return mean + np.add.reduceat(d_TSN - mean, starts, axis=2) * (len(starts) / d_TSN.shape[2])


def intervals(d_TSN):
    """The mean difference of each study [T] and half of its interval [T], as `statistics.two_way` has them."""
    d_TSN = d_TSN.astype(np.float64)
    _, seeds, texts = d_TSN.shape
    by_seed, by_text, mean = d_TSN.mean(2), d_TSN.mean(1), d_TSN.mean((1, 2))
    rest = ((d_TSN - by_seed[:, :, None] - by_text[:, None] + mean[:, None, None]) ** 2).sum((1, 2))
    both = rest / ((seeds - 1) * (texts - 1)) / (seeds * texts)
    variance, freedom = combined(by_seed.var(1, ddof=1) / seeds, by_text.var(1, ddof=1) / texts, both, seeds, texts)
    return mean, t.ppf(0.975, freedom) * np.sqrt(variance)


def missed(rng, design, trials, at_once=50):
    """How often the intervals of so many studies miss the truth; group sizes are drawn anew for every `at_once` of them."""
    grouped, alone, widths = [], [], []
    for _ in range(trials // at_once):
        d_TSN, starts = differences(rng, design, at_once)
        mean, wide = intervals(by_group(d_TSN, starts))
        _, narrow = intervals(d_TSN)
        grouped.append(np.abs(mean - design.truth) > wide)
        alone.append(np.abs(mean - design.truth) > narrow)
        widths.append(wide / narrow)
    return Missed(float(np.mean(grouped)), float(np.mean(alone)), float(np.median(widths)))


if __name__ == "__main__":
    print("| texts a group | coverage, the group as unit | each text as unit | equal recipes called different: group | text | width |")
    print("|---|---|---|---|---|---|")
    for name, sizes in SIZES.items():
        rng = np.random.default_rng(len(sizes) * 100 + max(sizes))
        truth, equal = (missed(rng, Design(sizes, shift=shift), 4000) for shift in (0.3, 0.0))
        covered = f"{100 * (1 - truth.grouped):.1f} % | {100 * (1 - truth.alone):.1f} %"
        print(f"| {name} | {covered} | {100 * equal.grouped:.1f} % | {100 * equal.alone:.1f} % | {truth.ratio:.2f} |", flush=True)
