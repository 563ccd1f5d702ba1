"""The settings that training stages share, and how long one part of a training is."""

from typing import Any, Literal, NamedTuple

from pydantic import Field

from acclimate.settings import Settings


class Pace(Settings):
    """How fast a training learns. Each stage has a `lr`, a `patience` and defaults of its own."""

    lr: float | None = Field(default=None, gt=0)
    """Peak learning rate of AdamW."""
    warmup: float = Field(default=0.1, ge=0, le=1)
    """Share of the steps in which the rate rises."""
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    """How the rate falls after warm-up."""
    weight_decay: float = Field(default=0.01, ge=0)
    """AdamW's decay; biases and norms have none."""
    clip: float = Field(default=1.0, gt=0)
    """Largest norm of the gradient."""

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        # What a stage has of its own stands before what it shares, wherever its settings are written out.
        fields, own = dict(cls.__pydantic_fields__), [name for name in cls.__annotations__ if name in cls.__pydantic_fields__]
        cls.__pydantic_fields__ = {name: fields[name] for name in (*own, *fields)}
        cls.model_rebuild(force=True)

    def peak_lr(self) -> float:
        """The peak learning rate, with its default where it depends on other settings."""
        assert self.lr is not None
        return self.lr


class EncoderPace(Pace):
    """That of a transformer."""

    max_length: int | None = Field(default=None, ge=8)
    """Tokens per text, special ones included; default the model's limit, at most 512. The rest is cut off, and counted,
    or read in further windows."""
    gradient_checkpointing: bool = False
    """Compute activations again in the backward pass instead of keeping them: about a third slower, far less memory."""


class Course(NamedTuple):
    """How long a training is, and how often it is judged."""

    steps: int
    evaluate_every: int  # steps
    patience: int | None = None  # evaluations without a better score before it stops
    patience_from: int = 0  # step before which it never stops
