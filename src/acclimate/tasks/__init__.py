"""The kinds of task, all in one place. A new kind is one new file and one line here; the first is meant where nothing is said."""

from acclimate.tasks.classify import Classify
from acclimate.tasks.generate import Generate
from acclimate.tasks.kind import TaskKind
from acclimate.tasks.multilabel import Multilabel
from acclimate.tasks.pair import Pair
from acclimate.tasks.perplexity import Perplexity
from acclimate.tasks.retrieve import Retrieve
from acclimate.tasks.similarity import Similarity
from acclimate.tasks.tag import Tag

KINDS: tuple[type[TaskKind], ...] = (Classify, Multilabel, Pair, Similarity, Retrieve, Tag, Perplexity, Generate)
