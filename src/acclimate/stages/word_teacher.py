"""A teacher of masked words, as a pretraining names it: what a large model knows of a text is learned by a small one. No torch."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from acclimate.errors import SettingsError
from acclimate.modeling.longest import longest
from acclimate.settings import Settings
from acclimate.stages.planned import Sizes


class WordTeacher(Settings):
    """Whose answers for masked words are learned, and how much they count."""

    model: str = Field(min_length=1)
    """Another recipe, as it is at its end with the same seed and label budget, or a model by name; of the student's vocabulary."""
    weight: float = Field(default=0.5, gt=0, le=1)
    """Of what it says, beside the masked words themselves, which have the rest."""
    likeliest: int = Field(default=32, gt=0)
    """How many of the words that it thinks the most likely are learned, as probabilities that sum to 1."""

    @model_validator(mode="before")
    @classmethod
    def _by_its_name(cls, value: Any) -> Any:
        return {"model": value} if isinstance(value, str) else value

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        full = handler.resolve_ref_schema(super().__get_pydantic_json_schema__(core_schema, handler))
        return {"anyOf": [{"type": "string"}, full], "description": full.get("description", "")}

    def keyed(self) -> Mapping[str, Any]:
        """As it stands in a key, of which the teacher's own is another part, whatever it is called."""
        return self.model_dump(mode="json", exclude={"model"})

    def check(self, given: Sizes, length: int | None) -> None:
        """Refuse a teacher that cannot say anything of the student's masked words.

        Raises:
            SettingsError: it has no head for them, another vocabulary, or too few positions.
        """
        teacher, named = given.beside[self.model], f"teacher: {self.model}"
        words = (given.vocabulary, teacher.vocabulary)
        if given.entries != teacher.entries or (None not in words and words[0] != words[1]):
            raise SettingsError(
                f"{named} has another vocabulary than the student, and masked words are asked for by their entries; `distill` learns what "
                "a teacher says of whole texts, with any vocabulary"
            )
        if teacher.family.decoder:
            raise SettingsError(f"{named} is a decoder ({teacher.family.model_type}), which knows next words and no masked ones")
        if teacher.fresh_head:
            raise SettingsError(f"{named} has no head for masked words; let it learn one first, e.g. [pretrain] in a recipe of its own")
        if given.length(length) > longest(teacher.config):
            raise SettingsError(f"{named} has {longest(teacher.config)} positions; say `max_length: {longest(teacher.config)}`")

    def operations(self, given: Sizes, tokens: float, masked: float) -> float:
        """That it takes for so many tokens, of which this share is masked."""
        teacher = given.beside[self.model]
        return 2 * tokens * (teacher.body + masked * teacher.entries * teacher.hidden)
