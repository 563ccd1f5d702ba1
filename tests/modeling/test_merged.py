"""The mean of two models: tensor by tensor, with what only one of them has, and refused where rows or labels mean other things."""

import pytest
import torch
from tests.modeling.conftest import DECODERS

from acclimate.errors import ModelError
from acclimate.modeling.folder import ModelFolder, save_model
from acclimate.modeling.head_settings import HeadSettings
from acclimate.modeling.heads import load_classifier, load_mlm
from acclimate.modeling.merged import merged

from .test_grown_vocabulary import grown, with_rows
from .test_vocabulary import imported

pytestmark = pytest.mark.measured(0)

WORDS = "bert.embeddings.word_embeddings.weight"


def learned(base, output):
    """A model after something was learned."""
    model, _ = load_mlm(base, 0)
    draws = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=draws))
    return save_model(output, base, model)


@pytest.fixture
def two(tiny, tmp_path):
    """A model, and the same after something was learned."""
    base = imported("bert", tiny, tmp_path)
    return base, learned(base, tmp_path / "adapted")


@pytest.mark.parametrize("name", DECODERS)
def test_decoders_are_merged_tensor_by_tensor(name, tiny, tmp_path):
    base = imported(name, tiny, tmp_path)
    adapted = learned(base, tmp_path / "adapted")
    made, measured = merged(adapted, base, 0.25, tmp_path / "merged")
    assert measured["tensors_kept"] == 0
    for key, tensor in made.tensors().items():
        torch.testing.assert_close(tensor, torch.lerp(base.tensors()[key], adapted.tensors()[key], 0.25))


def tensors(folder):
    return folder.tensors()


def test_it_lies_between_the_two_and_its_ends_are_they(two, tmp_path):
    base, adapted = two
    for weight in (0.0, 0.25, 1.0):
        made, measured = merged(adapted, base, weight, tmp_path / f"at {weight}")
        assert measured["weight"] == weight
        assert (measured["tensors_merged"], measured["tensors_kept"]) == (len(tensors(adapted)), 0)
        for name, tensor in tensors(made).items():
            torch.testing.assert_close(tensor, (1 - weight) * tensors(base)[name] + weight * tensors(adapted)[name])
    assert measured["apart"] > 0
    load_mlm(ModelFolder(made.path), 0)


def test_what_only_the_adapted_one_has_stays(two, tmp_path):
    base, adapted = two
    tuned = save_model(tmp_path / "tuned", adapted, load_classifier(adapted, ("no", "yes"), HeadSettings(), 0, None))
    made, measured = merged(tuned, base, 0.5, tmp_path / "made")
    assert measured["tensors_kept"] == len(tensors(tuned).keys() - tensors(base).keys()) > 0
    assert torch.equal(tensors(made)["classifier.weight"], tensors(tuned)["classifier.weight"])
    assert made.labels == ("no", "yes")


def test_after_extend_new_rows_come_from_the_adapted_side(two, tmp_path):
    base, adapted = two
    new, larger = grown(adapted, tmp_path / "larger")
    made, _ = merged(larger, base, 0.5, tmp_path / "made")
    count = len(tensors(base)[WORDS])
    assert torch.equal(tensors(made)[WORDS][count:], tensors(larger)[WORDS][count:])
    torch.testing.assert_close(tensors(made)[WORDS][:count], (tensors(base)[WORDS] + tensors(adapted)[WORDS]) / 2)
    assert len(new) == 4
    with pytest.raises(ModelError, match=r"merge: 4 entries of the other model's vocabulary have other rows here"):
        merged(base, larger, 0.5, tmp_path / "refused")


def test_rows_in_reserve_are_no_one_s_words(tiny, tmp_path):
    _, base = with_rows(tiny, tmp_path, 8)
    new, larger = grown(base, tmp_path / "larger")
    assert len(tensors(larger)[WORDS]) == len(tensors(base)[WORDS])
    made, _ = merged(larger, base, 0.5, tmp_path / "made")
    for entry in new:
        assert torch.equal(tensors(made)[WORDS][entry.id], tensors(larger)[WORDS][entry.id])


def test_heads_that_share_names_are_told_apart(tiny, tmp_path):
    base = imported("modernbert", tiny, tmp_path)
    tuned = save_model(tmp_path / "tuned", base, load_classifier(base, ("no", "yes"), HeadSettings(), 0, None))
    shared, carried = "head.dense.weight", "carried.mlm.head.dense.weight"
    other = {name: tensor + 1 if name.endswith(shared) else tensor for name, tensor in tensors(tuned).items()}
    assert {shared, carried} <= other.keys()
    ahead, _ = merged(tuned, base, 0.5, tmp_path / "ahead")
    assert torch.equal(tensors(ahead)[shared], tensors(tuned)[shared])
    torch.testing.assert_close(tensors(ahead)[carried], (tensors(tuned)[carried] + tensors(base)[shared]) / 2)
    back, _ = merged(base, tuned, 0.5, tmp_path / "back")
    torch.testing.assert_close(tensors(back)[shared], (tensors(tuned)[carried] + tensors(base)[shared]) / 2)


def test_heads_of_other_labels_are_refused(two, tmp_path):
    _, adapted = two
    one, other = (
        save_model(tmp_path / name, adapted, load_classifier(adapted, labels, HeadSettings(), 0, None))
        for name, labels in (("one", ("no", "yes")), ("other", ("yes", "no")))
    )
    with pytest.raises(ModelError, match="learned different labels"):
        merged(one, other, 0.5, tmp_path / "refused")
