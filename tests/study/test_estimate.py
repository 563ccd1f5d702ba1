from types import SimpleNamespace

from acclimate.study.plan import estimate


def test_the_rate_is_that_of_the_quickest_product_whatever_else_the_machine_does(monkeypatch):
    moments = iter([0.0, 3.0, 3.0, 3.5, 3.5, 9.0])  # three products, of 3, 0.5 and 5.5 seconds
    elapsed = iter([0.0, 0.1, 0.2, 0.25, 0.4])
    clock = SimpleNamespace(perf_counter=lambda: next(moments), monotonic=lambda: next(elapsed))
    monkeypatch.setattr(estimate, "time", clock)
    assert estimate.product_rate(size=8, seconds=0.3) == 2 * 8**3 / 0.5


def test_products_are_measured_in_the_precision_that_is_asked_for():
    assert estimate._square("float32", 4).dtype == "float32"
    assert str(estimate._square("bf16", 4).dtype) == "torch.bfloat16"
    assert estimate.product_rate("bf16", size=8, seconds=0.01) > 0
