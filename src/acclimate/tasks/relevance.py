"""A query and its relevant documents belong together: what vectors of both are trained from. No torch."""

from dataclasses import dataclass

from acclimate.errors import SettingsError
from acclimate.tasks.collection import judged
from acclimate.tasks.relations import Examples, Shape, Told, ranked
from acclimate.tasks.split import Split


@dataclass(frozen=True)
class ByRelevance:
    """Every relevant document belongs to its query; those that were judged and are not relevant are its hard negatives."""

    sided: bool = True

    def usual(self, names: tuple[str, ...]) -> str:
        """The right document among all of a batch."""
        return "multiple_negatives"

    def shapes(self) -> tuple[Shape, ...]:
        """Queries with documents."""
        return ("ranked", "triplets")

    def check(self, names: tuple[str, ...], told: Told) -> None:
        """There are no labels."""
        if told.positive:
            raise SettingsError("positive: names labels of pairs, and this task says which documents are relevant; leave it out")

    def examples(self, split: Split, shape: Shape, told: Told, train: Split) -> Examples:
        """Each query with each of its relevant documents."""
        assert split.collection is not None
        documents, grades = judged(split)
        pairs: dict[bool, list[tuple[str, str]]] = {True: [], False: []}
        for row, query in enumerate(split.inputs[0]):
            for document, grade in zip(documents[row].tolist(), grades[row].tolist(), strict=True):
                pairs[grade > 0].append((query, split.collection.texts[document]))
        return ranked(pairs[True], pairs[False], 1 if shape == "triplets" else told.hard_negatives, shape)
