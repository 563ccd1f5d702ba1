"""Models with tokenizers like RoBERTa's and ModernBERT's go through every stage that changes a vocabulary, reads on or takes a mean."""

import pytest
import torch
from tests.modeling.conftest import build_tiny
from tests.modeling.test_vocabulary import SENTENCES, USED, imported
from tests.modeling.unicode_texts import NEWS
from tests.stages.test_every_stage import World, context

from acclimate.modeling.folder import ModelFolder
from acclimate.modeling.heads import load_mlm
from acclimate.modeling.source import resolve_base
from acclimate.stages import STAGES
from acclimate.tasks.opened import Data, DataSettings

STAGE = {stage.word(): stage for stage in STAGES}
CHAIN = {
    "extend": {"words": ["soundtrack", "scoreboard"], "snippets": 4, "batch_tokens": 128},
    "pretrain": {
        "batch_tokens": 128, "epochs": 3, "new_rows_first": 0.5, "heldout_share": 0.2, "patience": None,
        "masking": "spans", "mask_rate": 0.3, "mask_rate_end": 0.1, "replay": 0.2,
    },
    "merge": {"weight": 0.75},
    "prune": {"size": 300},
}  # fmt: skip


@pytest.mark.parametrize("name", ["roberta", "modernbert"])
def test_a_model_is_extended_reads_on_is_merged_and_cut(name, tmp_path):
    base = imported(name, build_tiny, tmp_path, max_position_embeddings=130)
    (tmp_path / "domain.txt").write_text("\n".join([*NEWS, *SENTENCES] * 6) + "\n")
    (tmp_path / "general.txt").write_text("\n".join(SENTENCES * 4) + "\n")
    corpora = {name: str(tmp_path / f"{name}.txt") for name in ("domain", "general")}
    data = Data.open(DataSettings.model_validate(corpora), tmp_path, tmp_path / "rejects")
    world = World(tmp_path, resolve_base(str(tmp_path / "base"), tmp_path), data, base)
    measured, folders = {}, {"base": base}
    for word, settings in CHAIN.items():
        here = context(world, tmp_path / word)  # beside it, for a mean, stands the base
        stage = STAGE[word].model_validate({"stage": word, **settings})
        measured[word] = stage.run([*folders.values()][-1], here).metrics
        folders[word] = ModelFolder(here.output / "model")
    assert measured["extend"]["words_added"] == 2
    assert measured["extend"]["corpus_tokens_after"] < measured["extend"]["corpus_tokens_before"]
    assert measured["pretrain"]["corpora"].keys() == {"domain", "general"}
    assert measured["pretrain"]["new_rows"] >= 2
    assert measured["pretrain"]["rows_moved"] > 0
    tokens = folders["merge"].tokenizer().encode(NEWS[0]).tokens
    assert [token for token in tokens if token.endswith(("soundtrack", "scoreboard"))] == ["\u0120scoreboard", "\u0120soundtrack"]
    cut = folders["prune"]
    with torch.no_grad():
        logits = load_mlm(cut, seed=0)[0](torch.tensor([cut.tokenizer().encode(USED[0]).ids])).logits
    assert logits.shape[-1] == cut.config["vocab_size"] <= 300
    assert torch.isfinite(logits).all()
