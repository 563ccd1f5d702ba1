"""What a trained model should not be trusted with, as far as the facts of its study say, and what nobody looked at."""

from collections.abc import Iterator, Mapping
from typing import Any

from acclimate.data.unknown import NOTED
from acclimate.report.pages.markdown import named, plain
from acclimate.report.results.chain import Chain
from acclimate.report.results.kind_facts import counted
from acclimate.report.words.general_text import forgetting_sentence
from acclimate.report.words.searches import unequal_searches
from acclimate.report.words.text import listing, percent, score

RARE = 30  # test items of a label; with fewer, one mistake more moves its recall by over three points
MOST_RARE = 10  # labels named of those
FEW_LABELS = 200


def limits(chain: Chain) -> list[str]:
    """A list of sentences in Markdown, those that follow from this study's numbers first."""
    return [*_of_the_comparison(chain), *_of_the_data(chain), *_of_every_model(chain)]


def _of_the_comparison(chain: Chain) -> Iterator[str]:
    results, run = chain.results, chain.run
    if results.study.get("smoke"):
        yield "This was a smoke run on a sliver of the data: the model has learnt next to nothing, and its scores say nothing."
    scores = results.values(run.recipe, run.labels, results.metric)
    if len(scores) == 1:
        yield "It was trained with one seed; how much of its score is luck is not known."
    elif len(set(scores)) > 1:
        reached = f"from {score(min(scores))} to {score(max(scores))} in {results.score.words}"
        yield f"It is one of {len(scores)} seeds of its recipe, which score {reached}."
    if len(results.recipes) > 1 and run.recipe != results.reference:
        verdict = results.verdict_of(run.recipe, run.labels)
        if verdict is None or verdict.claim != "better":
            yield f"The study does not show that it is better than the reference {named(results.reference)}."
    if told := unequal_searches(results):
        yield plain(told)
    if results.checkpoint_only(run.recipe):
        yield "Its pretraining was run once; another run of it may turn out differently."


def _of_the_data(chain: Chain) -> Iterator[str]:
    data: Mapping[str, Any] = chain.results.study.get("data") or {}
    task: Mapping[str, Any] = data.get("task") or {}
    items = chain.results.kind.items
    learnt = chain.results.labels_at(chain.run.labels)
    if chain.without_labels:
        by_name = ": what its labels are called, and the sentence around them, decide its answers, and other words give others"
        yield f"It has learned from no label of this task{by_name if chain.results.names else ''}."
    elif learnt is not None and learnt < FEW_LABELS:
        yield f"It learnt from {learnt:,} labelled {items}, which is few."
    counts: Mapping[str, int] = (task.get("label_counts") or {}).get("test") or {}
    rare = [label for label, count in counts.items() if count < RARE]
    if rare:
        some = listing([f"{named(str(label))} ({counts[label]})" for label in rare[:MOST_RARE]] + _more(len(rare) - MOST_RARE))
        kind = chain.results.kind
        yield f"Some {kind.names_are} have fewer than {RARE} test {kind.counts_are}, so that what is known of them is rough: {some}."
    duplicates: Mapping[str, Any] = task.get("duplicates") or {}
    dropped = sum((task.get("dropped") or {}).values())
    for pair, count in (duplicates.get("across") or {}).items():
        # Counted before `duplicates: drop` took them out.
        if count and "test" in pair and not dropped:
            yield f"{count:,} {items} stand in both {pair.replace('/', ' and ')}, which flatters the scores."
    for pair, count in (task.get("shared_groups") or {}).items():
        if count and "test" in pair:
            held = (task.get("shared_items") or {}).get(pair)
            such = f" ({held:,} of the {pair.partition('/')[2]} {items})" if held else ""
            yield f"{count:,} groups have {items} in both {pair.replace('/', ' and ')}{such}, which flatters the scores."
    if repeated := task.get("repeated_sentences"):
        what = f"{repeated['texts']:,} test {items} are {repeated['sentences']:,} sentences with other marks"
        yield f"{what}, and were taken as independent, so that intervals are too narrow."
    if duplicates.get("conflicting_texts"):
        yield f"{duplicates['conflicting_texts']:,} equal {items} have different labels, so no model could be right on all of them."
    overlap: Mapping[str, float] = data.get("overlap") or {}
    for corpus in chain.corpora:
        if overlap.get(corpus):
            yield f"{percent(overlap[corpus])} of the test texts were found in the corpus {named(corpus)}, which it read in pretraining."
    if told := forgetting_sentence(chain.results, chain.run.recipe):
        yield plain(told)
    for name in chain.tasks:
        if share := overlap.get(f"task {name}"):
            yield f"{percent(share)} of the test texts were found in the task {named(name)}, which it learned on the way."
    if in_train := sum(((data.get("leaks") or {}).get("train", {}).get("test") or {}).get(kind, 0) for kind in ("near", "contained")):
        yield f"{in_train:,} test {items} stand nearly, or within longer ones, in train, which flatters the scores."
    included = dict.fromkeys(split for stage in chain.pretrainings for split in stage.settings.get("include") or ())
    if included:
        yield f"It read the texts of {' and '.join(map(plain, included))} in pretraining, without their labels."
    judged = [stage for stage in chain.stages if stage.about is None]
    unknown = max((float(stage.metrics.get("unknown_share_test") or 0) for stage in judged), default=0.0)
    if unknown > NOTED:
        yield f"{percent(unknown)} of the tokens of the test texts are unknown to its vocabulary: it cannot read them."
    for unit in ("tokens", "words"):
        if cut := sum(int(stage.metrics.get(f"cut_{unit}_test") or 0) for stage in judged):
            yield f"Long texts are cut: {cut:,} {unit} of the test texts were not seen."
    if any(stage.metrics.get("pool") for stage in judged):
        yield "Long texts are read whole, but window by window: what only two far parts of a text say together, it does not see."


def _more(count: int) -> list[str]:
    return [f"{count:,} more"] if count > 0 else []


def _of_every_model(chain: Chain) -> Iterator[str]:
    kind = chain.results.kind
    yield from (plain(counted(each, chain.results.names)) for each in kind.card.limits)
    yield f"Its scores hold for {kind.items} like those of the test split. Other fields, sources, languages and times were not tested."
    yield "It was not tested for bias: whether it treats groups of people differently is not known."
    yield f"{kind.items.capitalize()} made to deceive it were not tried."
