import numpy as np
import torch

from acclimate.modeling.tensors import to_tensors


def test_tensors_equal_the_batch_and_lengths_stay_on_the_host(flat):
    batch = flat((3, 1, 4), True, types=True)
    tensors = to_tensors(batch, torch.device("cpu"))
    for name in ("input_ids", "position_ids", "offsets", "token_type_ids"):
        np.testing.assert_array_equal(getattr(tensors, name).numpy(), getattr(batch, name))
        assert getattr(tensors, name).dtype == torch.int64
    assert tensors.lengths == (3, 1, 4)
    assert tensors.targets.keys() == batch.targets.keys()
    assert to_tensors(flat((3,), False), "cpu").token_type_ids is None
