"""The command: `python -m bench [ROW ...]` measures these rows (default: all), prints one table and writes bench/results/DEVICE.json.

`python -m bench gpu` is the list for a machine with a GPU: it checks what is promised there, measures it against the peer, and fails where
a promise is broken; with --dry it carries out the checks in small on a CPU.
"""

import argparse
import sys
import tempfile
import time
import traceback
from pathlib import Path

import torch

from bench import gpu
from bench.measure import Bench, Options
from bench.models import quieten
from bench.page import markdown
from bench.report import RESULTS, Outcome, measured, show, variant, variants, write
from bench.rows import ROWS
from bench.texts import find_data


def main(arguments: list[str] | None = None) -> int:
    """Measure, print, write; 1 where a row failed."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"of: {', '.join(ROWS)} (default: all); or: gpu")
    parser.add_argument("--dry", action="store_true", help="with gpu: the checks alone, in small, on whatever device is here")
    parser.add_argument("--rounds", type=int, default=3, help="rounds in which the sides alternate")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it works, measures nothing")
    parser.add_argument("--full", action="store_true", help="also what takes long: a corpus of 1,000 MB, all rounds of the study")
    parser.add_argument("--data", help="folder with corpora/ and tasks/; default $ACCLIMATE_SHARED or ../shared/data beside the repository")
    parser.add_argument(
        "--texts", choices=("usual", "news"), default="usual", help="news: those of the demo's packages; into a file of their own"
    )
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of the JSON file")
    parser.add_argument("--page", action="store_true", help="measure nothing; print the measured rows as Markdown")
    options = parser.parse_args(arguments)
    if options.page:
        print(markdown(measured(options.results), ROWS, variants(options.results)))
        return 0
    listed = options.rows == ["gpu"]
    if options.dry and not listed:
        parser.error("--dry belongs to the list: python -m bench gpu --dry")
    if listed:
        if not options.dry and not torch.cuda.is_available():
            print(gpu.REFUSED, file=sys.stderr)
            return 2
        options.rows, options.quick = list(gpu.names(options.dry)), options.quick or options.dry
    unknown = [name for name in options.rows if name not in ROWS]
    if unknown:
        parser.error(f"there is no row {unknown[0]!r}; there are {', '.join(ROWS)}")
    if options.rounds < 1:
        parser.error("--rounds: at least one")
    chosen = [ROWS[name] for name in ROWS if name in (options.rows or ROWS)]
    quieten()
    outcomes: dict[str, Outcome] = {}
    with tempfile.TemporaryDirectory(prefix="acclimate-bench-") as work:
        data = "" if options.texts == "news" else find_data(options.data)
        bench = Bench(Options(options.rounds, options.quick, options.full, data, variant(options.texts)), Path(work))
        for row in chosen:
            print(f"measuring {row.name} ...", file=sys.stderr, flush=True)
            began = time.monotonic()
            try:
                outcomes[row.name] = row.run(bench)
            except Exception as error:
                # One row that fails leaves the others their figures.
                traceback.print_exc()
                outcomes[row.name] = f"{type(error).__name__}: {error}"
            path = write(bench, outcomes, options.results)
            print(f"    {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        show(bench, chosen, outcomes)
        print(f"every round: {path}")
        if listed:
            print(gpu.page(ROWS, outcomes, bench.kind))
            return int(bool(gpu.broken(ROWS, outcomes, bench.kind)))
    return int(any(isinstance(outcome, str) for outcome in outcomes.values()))


if __name__ == "__main__":
    sys.exit(main())
