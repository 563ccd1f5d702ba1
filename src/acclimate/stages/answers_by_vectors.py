"""What stages share that answer a task by vectors of its texts: what is fitted on them, and what is refused where nothing is."""

from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field

from acclimate.errors import SettingsError
from acclimate.evaluation.by_vectors import EMBEDDING, Classifier, HeadSettings
from acclimate.stages.base import USUAL_SCORE, Serves, Stage
from acclimate.tasks.task import Task

if TYPE_CHECKING:
    from acclimate.evaluation.by_vectors import ByVectors

Strength = Annotated[float, Field(gt=0)]
USUAL = HeadSettings()


class AnswersByVectors(Stage):
    """A stage that gives a vector for every text. Where texts have labels, a classifier is fitted on those of train."""

    serves: ClassVar[Serves] = {"sequence": ("softmax", "sigmoid"), EMBEDDING: ("none",)}
    most_texts: ClassVar[int] = 2
    classify: Classifier | None = None
    """What is fitted on the vectors of train where texts have labels: `logistic` regression (scikit-learn's), the default, or `knn`, the
    labels of the nearest texts by cosine. Of pairs it sees both vectors, their difference and their product (Conneau et al. 2017)."""
    neighbours: int | None = Field(default=None, ge=1)
    """How many texts `knn` asks; default 10."""
    C: Strength | Annotated[tuple[Strength, ...], Field(min_length=1)] | None = None
    """Inverse regularisation of `logistic`, or several to be tried, of which dev decides; default 0.1, 1, 10 and 100."""
    select_by: str | None = None
    """The dev score that decides on `C`; the task's own first one (macro F1) when not given."""

    def draws(self) -> bool:
        return False

    def keyed(self) -> dict[str, Any]:
        settings = self.head_settings()
        fitted = {"classify": settings.classify, "select_by": self.select_by or USUAL_SCORE}
        if settings.classify == "knn":
            return super().keyed() | fitted | {"neighbours": settings.neighbours}
        return super().keyed() | fitted | {"C": list(settings.strengths)}

    def head_settings(self) -> HeadSettings:
        """What is fitted, with the defaults where nothing is said."""
        strengths = (self.C,) if isinstance(self.C, float) else self.C
        return HeadSettings(
            self.classify or USUAL.classify, self.neighbours or USUAL.neighbours, strengths or USUAL.strengths, self.select_by
        )

    def check_heads(self, task: Task) -> None:
        """Refuse what makes no sense for a task.

        Raises:
            SettingsError: the first such setting.
        """
        said = {name: getattr(self, name) for name in ("classify", "neighbours", "C", "select_by")}
        said = {name: value for name, value in said.items() if value is not None}
        if self.form(task.kind) == EMBEDDING:
            if said:
                raise SettingsError(
                    f"{next(iter(said))}: {task.kind.kind} is answered by the vectors alone, and nothing is fitted; leave it out"
                )
            return
        idle = {"logistic": ("neighbours",), "knn": ("C", "select_by")}[self.head_settings().classify]
        if name := next((name for name in idle if name in said), None):
            other = "`classify: knn` alone" if name == "neighbours" else "`classify: logistic` alone"
            raise SettingsError(f"{name}: {other} looks at it; leave it out")

    def learned_from(self, task: Task) -> int:
        """Of how many labelled items something is fitted."""
        return 0 if self.form(task.kind) == EMBEDDING else len(task.train)

    def told_of(self, found: "ByVectors", task: Task) -> dict[str, Any]:
        """What it measured besides scores."""
        return {**found.metrics, "learned_from": self.learned_from(task)}
