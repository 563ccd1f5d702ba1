"""The stages a recipe can name, all in one place. A new stage is one new file and one line here."""

from typing import Annotated

from pydantic import Field

from acclimate.stages.finetune import Finetune
from acclimate.stages.pretrain import Pretrain
from acclimate.stages.tfidf import Tfidf

STAGES = (Pretrain, Finetune, Tfidf)
AnyStage = Annotated[Pretrain | Finetune | Tfidf, Field(discriminator="stage")]
