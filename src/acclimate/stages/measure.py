"""Measuring what a model knows of general text: what a byte of it costs before, between and after the stages of a recipe."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from acclimate.data.unknown import NOTED
from acclimate.modeling.longest import LONGEST_DEFAULT
from acclimate.stages.asked_documents import asking, operations
from acclimate.stages.base import GENERAL_TEXT, Context, Outcome, Role, Stage
from acclimate.stages.planned import Reads, Sizes, Work
from acclimate.tasks.general_text import FILE
from acclimate.tasks.metrics.texts import METRICS, UNREAD_BITS
from acclimate.tasks.perplexity import scored

if TYPE_CHECKING:
    from acclimate.modeling.folder import ModelFolder

MEND = "`forgetting: NAME` takes a corpus of `data` in the base's own language, and `false` measures nothing"


class Measure(Stage):
    """Not written by users: where a study measures forgetting, one stands beside every model on the way. Nothing goes on from it.

    Every token is asked for once, and bytes that the vocabulary cannot read are charged as they are (`tasks.perplexity.scored`), so that
    vocabularies can be compared. The artifact holds no model, and `general_text.parquet` with bits and bytes of each document.
    """

    role: ClassVar[Role] = "measures"
    stage: Literal["measure"] = "measure"

    def title(self) -> str:
        return "general text"

    def reads(self) -> tuple[str, ...]:
        return (GENERAL_TEXT,)

    def draws(self) -> bool:
        return False

    def keyed(self) -> dict[str, Any]:
        return super().keyed() | {"max_length": LONGEST_DEFAULT}

    def notes(self, given: Sizes, reads: Callable[[], Reads]) -> tuple[str, ...]:
        (found,) = reads().texts[GENERAL_TEXT]
        if found.unknown_share <= NOTED:
            return ()
        charged = f"each byte of them is charged {UNREAD_BITS:g} bits, whatever is forgotten"
        return (
            f"{100 * found.unknown_share:.1f} % of the tokens of the general text are unknown to the vocabulary, and {charged}; {MEND}",
        )

    def work(self, given: Sizes, reads: Reads) -> Work:
        (found,) = reads.texts[GENERAL_TEXT]
        return Work(0, operations=operations(given, found, found.sample.texts, reads.special, None))

    def run(self, parent: "ModelFolder | None", context: Context) -> Outcome:
        import pyarrow as pa
        import pyarrow.parquet as pq

        from acclimate.evaluation.cost import Cost, PeakMemory

        assert parent is not None
        text, began = context.data.general, time.monotonic()
        assert text is not None, "the plan measures where there is text"
        with PeakMemory() as memory:
            ask, micro = asking(parent, context, None)
            answers = scored(ask(text.documents, text.name), text.split)
        if context.runtime.devices.is_main:
            pq.write_table(pa.table({name: answers[name] for name in ("bits", "bytes")}), context.output / FILE)
        cost = Cost(seconds=time.monotonic() - began, peak_memory_bytes=memory.bytes, parameters=parent.parameters, disk_bytes=0)
        scores = {f"general_{metric.name}": metric.score(text.split, answers) for metric in METRICS}
        return Outcome({**scores, "documents": len(text.documents), "micro_tokens": micro}, cost)
