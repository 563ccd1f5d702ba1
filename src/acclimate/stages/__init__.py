"""The stages a recipe can name, all in one place. A new stage is one new file and one line here."""

from typing import Annotated

from pydantic import Field

from acclimate.stages.bilstm import Bilstm
from acclimate.stages.finetune import Finetune
from acclimate.stages.majority import Majority
from acclimate.stages.pretrain import Pretrain
from acclimate.stages.prune import Prune
from acclimate.stages.tfidf import Tfidf

BASELINES = (Majority, Tfidf, Bilstm)  # plain ones: written as a base, and the only stage of their recipe
STAGES = (Prune, Pretrain, Finetune, *BASELINES)
AnyStage = Annotated[Prune | Pretrain | Finetune | Majority | Tfidf | Bilstm, Field(discriminator="stage")]
