"""A measurement in a process of its own: `python -m bench.child MODULE SPEC` calls `bench.rows.MODULE.child(bench, spec)`.

Peak memory, the first step after a start and a tokeniser's worker processes are nobody's business but a fresh process's. The outcome is
the last line of standard output, as JSON.
"""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.root import ROOT

LAST_LINES = 15  # of what a failed process said


def in_child(
    bench: Any, module: str, spec: Mapping[str, Any], environment: Mapping[str, str] | None = None, start: Sequence[str] = ()
) -> dict[str, Any]:
    """Run `child` of a row's module in a fresh process; `start` are arguments of Python before `-m bench.child` (torchrun)."""
    told = json.dumps({"spec": dict(spec), "options": asdict(bench.options), "work": str(bench.work)})
    lines = run([sys.executable, *start, "-m", "bench.child", module, told], environment).strip().splitlines()
    outcome: dict[str, Any] = json.loads(lines[-1])
    return outcome


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> str:
    """Run a command at the repository's root and return what it printed.

    Raises:
        RuntimeError: it failed; with the last lines of what it said.
    """
    path = os.pathsep.join(filter(None, (str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH"))))
    inherited = {**os.environ, "PYTHONPATH": path, **(environment or {})}
    done = subprocess.run(command, cwd=ROOT, env=inherited, capture_output=True, text=True)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-LAST_LINES:])
        raise RuntimeError(f"{' '.join(command[:5])} ... ended with {done.returncode}:\n{said}")
    return done.stdout


def main() -> None:
    """Do what the arguments say."""
    from bench.measure import Bench, Options
    from bench.models import quieten

    quieten()
    told = json.loads(sys.argv[2])
    bench = Bench(Options(**told["options"]), Path(told["work"]))
    outcome = importlib.import_module(f"bench.rows.{sys.argv[1]}").child(bench, told["spec"])
    if outcome is not None:
        print(json.dumps(outcome), flush=True)


if __name__ == "__main__":
    main()
