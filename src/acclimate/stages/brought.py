"""The trained classifier that a base brings, as far as its files tell before it is loaded."""

from acclimate.evaluation.stated import problem_type, texts_of
from acclimate.modeling.base_files import MAX_LENGTH, POOL, ZERO_SHOT, is_tagger
from acclimate.modeling.links import PROBLEMS
from acclimate.modeling.source import Source, classifier_names
from acclimate.stages.planned import Classifier


def brought(source: Source) -> Classifier | None:
    """The classifier, or tagger, of a base; None where it has none.

    Raises:
        ModelError: its weights are torn, or nobody knows what its numbers mean (`problem_type`).
    """
    names, config = classifier_names(source), source.config
    if not names:
        return None
    length = config.get(MAX_LENGTH)
    if is_tagger(config):
        return Classifier(names, 1, length, form="tokens")
    problem = problem_type(config.get("problem_type"), len(names), source.folder)
    link = next(link for link, name in PROBLEMS.items() if name == problem)
    # One that we made to be asked for labels judges texts with hypotheses, whatever kind of task it answers by these.
    texts = 2 if ZERO_SHOT in config else texts_of(config)
    return Classifier(names, texts, length, link=link, whole=config.get(POOL) is not None)
