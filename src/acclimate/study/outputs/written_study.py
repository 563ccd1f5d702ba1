"""The study as it runs again from its output folder: every default written out, and beside it the data that came from Python."""

import shutil
from pathlib import Path
from typing import Any

from acclimate.data.readers.endings import ROWS
from acclimate.files import digest_file, digest_json, write_text
from acclimate.owned import mark_made
from acclimate.study.language.paths import relocated
from acclimate.study.language.study import resolved
from acclimate.study.language.yaml import dump
from acclimate.study.outputs.output_folder import DATA
from acclimate.study.plan.prepared import Prepared


def write_study(prepared: Prepared, out: Path, folder: Path) -> None:
    """Write `study.yaml` into `folder`, which becomes `out`, and `data/` with the rows that came from Python, as jsonl files."""
    mapping = relocated(resolved(prepared.study), prepared.root, out)
    digests: dict[str, str] = {}

    def kept(said: Any) -> Any:
        if isinstance(said, dict):
            return {name: kept(each) for name, each in said.items()}
        if not isinstance(said, str) or not said.endswith(ROWS):
            return said
        name = f"{Path(said).stem}.jsonl"
        (folder / DATA).mkdir(exist_ok=True)
        shutil.copyfile(said, folder / DATA / name)
        digests[name] = digest_file(folder / DATA / name)
        return f"{DATA}/{name}"

    mapping["data"] = kept(mapping["data"])
    if digests:
        mark_made(folder / DATA, "data", digest_json(digests))
    write_text(folder / "study.yaml", dump(mapping))
