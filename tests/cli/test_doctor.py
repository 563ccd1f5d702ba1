from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from acclimate import __version__
from acclimate.cli import doctor


def found(folder: Path) -> dict[str, doctor.Finding]:
    return {finding.what: finding for finding in doctor.examine(folder)}


def test_what_is_missing_is_named_with_the_way_to_get_it(tmp_path, monkeypatch):
    lacking = {"scipy", "bm25s"}
    said = ["scipy>=1", 'bm25s>=0.2; extra == "select"', 'pytest>=1; extra == "search"', 'pytest<1; extra == "ui"']
    monkeypatch.setattr(doctor, "requires", lambda name: said)
    there = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name in lacking else there(name))
    seen = found(tmp_path)
    assert (seen["scipy"].ok, seen["scipy"].found, seen["scipy"].mend) == (False, "missing", "pip install scipy")
    assert (seen["extra select"].ok, seen["extra select"].found) == (True, "missing bm25s")
    assert seen["extra select"].mend == 'optional: pip install "acclimate[select]"'
    assert (seen["extra search"].found, seen["extra search"].mend) == ("installed", "")
    assert seen["extra ui"].found == f"missing pytest <1 ({version('pytest')} is there)"
    assert "extra dev" not in seen
    assert seen["torch"].found == torch.__version__


def test_too_small_a_disk_is_no_good(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "LITTLE_DISK", 2**70)
    assert not found(tmp_path)["disk"].ok


@pytest.mark.parametrize(("instructions", "matrices", "advised"), [(True, False, True), (True, True, False), (False, False, False)])
def test_bf16_is_advised_where_it_is_fast_and_not_taken_unasked(instructions, matrices, advised, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: instructions)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: matrices)
    assert ("bfloat16" in found(tmp_path)) is advised


def test_the_command_says_its_version(acclimate):
    ended = acclimate("--version")
    assert (ended.returncode, ended.stdout) == (0, f"acclimate {__version__}\n")
