"""What this machine has for acclimate, and what is missing."""

import importlib.util
import os
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path

from packaging.requirements import Requirement

REQUIRED = ("torch", "transformers", "tokenizers", "datasets", "accelerate", "safetensors", "scikit-learn", "scipy", "pyarrow")
FOR_OURSELVES = ("dev", "site")  # extras of those who change acclimate
LITTLE_DISK, LITTLE_MEMORY = 5 * 2**30, 2 * 2**30


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, what was found, and whether something should be done about it."""

    what: str
    found: str
    ok: bool
    mend: str = ""


def examine(folder: Path) -> list[Finding]:
    """Look at Python, libraries, extras, processors, GPUs, memory and the disk of `folder`."""
    findings = [Finding("python", platform.python_version(), True)]
    for name in REQUIRED:
        found = _version(name)
        findings.append(Finding(name, found or "missing", found is not None, "" if found else f"pip install {name}"))
    for extra, wanted in extras().items():
        missing = [told for each in wanted if (told := _lacking(each))]
        mend = f'optional: pip install "acclimate[{extra}]"' if missing else ""
        findings.append(Finding(f"extra {extra}", f"missing {', '.join(missing)}" if missing else "installed", True, mend))
    return findings + _hardware(folder)


def extras() -> dict[str, list[Requirement]]:
    """What each extra needs, by what the installed package says of itself."""
    named = [extra for extra in metadata("acclimate").get_all("Provides-Extra") or [] if extra not in FOR_OURSELVES]
    wanted = [Requirement(line) for line in requires("acclimate") or []]
    # What is required anyway has no marker.
    return {extra: [each for each in wanted if each.marker is not None and each.marker.evaluate({"extra": extra})] for extra in named}


def _lacking(wanted: Requirement) -> str:
    """What is missing of a requirement; empty: nothing."""
    found = _version(wanted.name)
    if found is None:
        return wanted.name
    return "" if wanted.specifier.contains(found, prereleases=True) else f"{wanted.name} {wanted.specifier} ({found} is there)"


def _hardware(folder: Path) -> list[Finding]:
    import psutil

    memory = psutil.virtual_memory()
    free = shutil.disk_usage(folder).free
    findings = [
        Finding("processors", f"{len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count()}", True),
        Finding(
            "memory",
            f"{memory.available / 2**30:.1f} of {memory.total / 2**30:.1f} GiB free",
            memory.available > LITTLE_MEMORY,
            "" if memory.available > LITTLE_MEMORY else "a smaller --micro-tokens needs less",
        ),
        Finding(
            "disk",
            f"{free / 2**30:.1f} GiB free in {folder}",
            free > LITTLE_DISK,
            "" if free > LITTLE_DISK else "a study of MiniLM keeps about 0.1 GiB a stage",
        ),
    ]
    if importlib.util.find_spec("torch") is None:
        return findings
    import torch

    if torch.cuda.is_available():
        names = ", ".join(torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count()))
        bf16 = "bf16" if torch.cuda.is_bf16_supported() else "float32"
        return [*findings, Finding("GPU", f"{names} ({bf16})", True)]
    findings.append(Finding("GPU", f"none; training runs on the CPU with {torch.get_num_threads()} threads", True))
    if torch.cpu._is_avx512_bf16_supported() and not torch.cpu._is_amx_tile_supported():  # with matrix units bf16 is taken unasked
        findings.append(Finding("bfloat16", "this processor multiplies it faster than float32: try `--precision bf16`", True))
    return findings


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
