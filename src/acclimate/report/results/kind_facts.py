"""What result files say of their study's kind of task: what is judged, its scores with words and directions, and what its card tells."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from acclimate.errors import SettingsError
from acclimate.inert import one_line
from acclimate.tasks.classify import Classify
from acclimate.tasks.kind import many
from acclimate.tasks.metrics.metric import Direction


@dataclass(frozen=True)
class ScoreFacts:
    """One score, as `acclimate.tasks.metrics.metric.Metric` has it."""

    words: str
    better: Direction = "higher"
    span: float = 1.0
    compared: bool = True
    hub: str | None = None

    @property
    def lower_is_better(self) -> bool:
        return self.better == "lower"


@dataclass(frozen=True)
class CardFacts:
    """For a model card: the hub's pipeline tag, what such a model does, what none of its kind should be trusted with, and code."""

    tag: str
    does: str
    limits: tuple[str, ...] = ()
    plain_use: str = ""
    own_use: str = ""
    tuned_plain_use: str = ""
    tuned_own_use: str = ""
    whole_use: str = "acclimate predict FOLDER texts.jsonl --out labels.csv"


@dataclass(frozen=True)
class KindFacts:
    """A kind of task. Its words come from a file, and are inert."""

    item: str
    card: CardFacts
    metrics: Mapping[str, ScoreFacts] = field(default_factory=dict)
    """By name, in the kind's order."""
    name_is: str = "label"
    """What its names are: labels, types of entities, or the corpora of documents."""
    learned: bool | None = None
    """Whether there are examples to learn from; folders that do not say it are older than names that are no labels and are learned."""
    right_is: str = ""
    """What is said of an answer that may be right in part; "" where answers are right or wrong."""
    counted: str = ""
    """What is counted by name, where it is not items."""

    @staticmethod
    def of(study: Mapping[str, Any], path: Path = Path("study.json")) -> "KindFacts":
        """What a `study.json` says; where it says nothing, it is older than other kinds, and of classification.

        Raises:
            SettingsError: it is damaged.
        """
        said = study if "metrics" in study else Classify.about()
        try:
            found = TypeAdapter(KindFacts).validate_python(
                {name: said[name] for name in ("item", "card", "metrics", "name_is", "learned", "right_is", "counted") if name in said}
            )
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            where = ".".join(map(str, first["loc"]))
            raise SettingsError(f"{path}: {where}: {first['msg']} — run `acclimate study` again to rewrite it") from error
        told = found.card  # of which the code stands in fences as it is
        card = replace(told, tag=one_line(told.tag), does=one_line(told.does), limits=tuple(map(one_line, told.limits)))
        metrics = {name: _inert(score) for name, score in found.metrics.items()}
        return KindFacts(
            one_line(found.item), card, metrics, one_line(found.name_is), found.learned, one_line(found.right_is), one_line(found.counted)
        )

    @property
    def items(self) -> str:
        """`texts`."""
        return many(self.item)

    @property
    def names_are(self) -> str:
        """What its names are, several of them: `labels`, `types`."""
        return many(self.name_is) if self.labelled else "corpora"

    @property
    def counts_are(self) -> str:
        """What is counted by name: `texts`, or `entities` in them."""
        return many(self.counted) if self.counted else self.items

    @property
    def labelled(self) -> bool:
        """Whether its items have something that is right, and was learned."""
        return self.name_is == "label" if self.learned is None else self.learned

    def score(self, column: str) -> ScoreFacts:
        """Of a column such as `test_macro_f1`; of a score that the kind does not know the name is all there is."""
        name = bare(column)
        return self.metrics.get(name) or ScoreFacts(one_line(name.replace("_", " ")))

    def words(self, column: str) -> str:
        """`test_macro_f1` -> `macro F1`: the split is said where it matters."""
        return self.score(column).words

    def ordered(self, columns: set[str]) -> list[str]:
        """These columns of one split in the kind's order of scores; behind them those that it does not know."""
        order = list(self.metrics)
        return sorted(columns, key=lambda column: (order.index(bare(column)) if bare(column) in order else len(order), column))


def bare(column: str) -> str:
    """A score's name without its split."""
    return column.removeprefix("test_").removeprefix("dev_")


def counted(sentence: str, names: Sequence[str]) -> str:
    """A sentence of the card with the number of names in it."""
    return sentence.replace("{count}", str(len(names)))


def _inert(score: ScoreFacts) -> ScoreFacts:
    return ScoreFacts(one_line(score.words), score.better, score.span, score.compared, score.hub)
