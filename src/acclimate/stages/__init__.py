"""The stages a recipe can name, all in one place. A new stage is one new file and one line here."""

from acclimate.stages.as_is import AsIs
from acclimate.stages.base import Stage
from acclimate.stages.bilstm import Bilstm
from acclimate.stages.bm25 import Bm25
from acclimate.stages.cut import Cut
from acclimate.stages.distill import Distill
from acclimate.stages.distill_vectors import DistillVectors
from acclimate.stages.doc2vec import Doc2vec
from acclimate.stages.embed import Embed
from acclimate.stages.extend import Extend
from acclimate.stages.finetune import Finetune
from acclimate.stages.linear_tagger import LinearTagger
from acclimate.stages.majority import Majority
from acclimate.stages.measure import Measure
from acclimate.stages.merge import Merge
from acclimate.stages.pretrain import Pretrain
from acclimate.stages.prompt import Prompt
from acclimate.stages.prune import Prune
from acclimate.stages.score import Score
from acclimate.stages.searching import Searching
from acclimate.stages.selecting import Selecting
from acclimate.stages.start import Start
from acclimate.stages.static import Static
from acclimate.stages.tfidf import Tfidf
from acclimate.stages.vectors import Vectors
from acclimate.stages.zero_shot import ZeroShot

__all__ = ["BASELINES", "BASES", "STAGES", "Cut", "Measure", "Searching", "Selecting", "Start"]

STAGES: tuple[type[Stage], ...] = (
    Prune,
    Extend,
    Merge,
    Pretrain,
    Embed,
    Finetune,
    Distill,
    DistillVectors,
    Score,
    ZeroShot,
    Prompt,
    AsIs,
    Vectors,
    Majority,
    Tfidf,
    Bilstm,
    LinearTagger,
    Doc2vec,
    Static,
    Bm25,
)
BASELINES = tuple(stage for stage in STAGES if stage.role == "baseline")  # written as a base, and the only stage of their recipe
BASES = (Start, Cut)  # what `base:` becomes, where it is no plain baseline
