from types import SimpleNamespace

from threadpoolctl import threadpool_info

from acclimate.study.plan import estimate


def test_the_rate_is_that_of_the_quickest_product_whatever_else_the_machine_does(monkeypatch):
    of_all = [0.0, 3.0, 3.0, 3.5, 3.5, 9.0]  # three products, of 3, 0.5 and 5.5 seconds
    of_one = [9.0, 11.0, 11.0, 12.0, 12.0, 13.0]
    for together, alone in ((of_all, of_one), (of_one, of_all)):
        elapsed = iter([0.0, 0.1, 0.2, 0.25, 0.4] * 2)
        clock = SimpleNamespace(perf_counter=iter(together).__next__, thread_time=iter(alone).__next__, monotonic=elapsed.__next__)
        monkeypatch.setattr(estimate, "time", clock)
        assert estimate.product_rate(size=8, seconds=0.3) == 2 * 8**3 / 0.5


def test_one_processor_alone_is_measured_too_for_threads_that_wait_for_each_other_starve_on_a_busy_machine(monkeypatch):
    threads = []
    monkeypatch.setattr(estimate, "_quickest", lambda matrix, seconds, clock: threads.append(of_this_process()) or 1.0)
    estimate.product_rate(size=8)
    everywhere, alone = threads
    assert alone == 1 <= everywhere


def of_this_process() -> int:
    return max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")


def test_products_are_measured_in_the_precision_that_is_asked_for():
    assert estimate._square("float32", 4).dtype == "float32"
    assert str(estimate._square("bf16", 4).dtype) == "torch.bfloat16"
    assert estimate.product_rate("bf16", size=8, seconds=0.01) > 0
