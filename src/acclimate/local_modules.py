"""Local Python modules, found by their names without being imported: a user's own, and neither Python's nor those of installed packages.

Local is what stands beside the study file, in the current folder, or in folders below it that Python's path names. What a module imports is
read from its syntax tree, wherever in the file it says so; what it finds out while it runs (`importlib.import_module`) is not seen.
"""

import ast
import sys
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Self

from acclimate.errors import SettingsError, first_line

OURS = "acclimate"  # its version is in every artifact; never a local module, also where it is run from a checkout
SITES = ("site-packages", "dist-packages")


@dataclass(frozen=True)
class Module:
    """A local module: a file, or a folder without `__init__.py`, which has no code."""

    name: str
    path: Path
    source: bytes | None

    @classmethod
    def read(cls, name: str, path: Path) -> Self:
        """The module of this name."""
        return cls(name, path, path.read_bytes() if path.is_file() else None)

    @property
    def is_package(self) -> bool:
        """Whether other modules stand in it."""
        return self.source is None or self.path.name == "__init__.py"

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree.

        Raises:
            SettingsError: it is no Python.
        """
        try:
            return ast.parse(self.source or b"", str(self.path))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:  # the last two of what is nested too deeply
            line = f":{error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            raise SettingsError(f"{self.path}{line}: this is no Python: {first_line(error)}") from error

    def imports(self) -> Iterator[str]:
        """The names of all that it imports, as modules; some of them may be functions in these."""
        package = self.name if self.is_package else self.name.rpartition(".")[0]
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
                origin = ".".join([*above, *([node.module] if node.module else [])])
                yield from (name for name in (origin, *(f"{origin}.{alias.name}" for alias in node.names)) if name and name[0] != ".")


def python_path() -> tuple[Path, ...]:
    """The folders of Python's path without what was installed."""
    folders = (Path(entry).resolve() for entry in sys.path if entry)
    return tuple(folder for folder in folders if folder.is_dir() and not _is_installed(folder))


def roots_of(beside: Path) -> tuple[Path, ...]:
    """Where local modules are looked for; `beside` is the folder of the study file."""
    here = Path.cwd().resolve()
    return tuple(dict.fromkeys((beside.resolve(), here, *(folder for folder in python_path() if folder.is_relative_to(here)))))


def _is_installed(folder: Path) -> bool:
    library = Path(sysconfig.get_path("stdlib")).resolve()
    return any(site in folder.parts for site in SITES) or folder.is_relative_to(library)


def follow(name: str, roots: tuple[Path, ...], found: dict[str, Module]) -> None:
    """Put a module, the packages around it, and all local modules that these import, into `found`; nothing where it is not local."""
    parts = name.split(".")
    for module in _located(parts, roots):
        if module.name not in found:
            found[module.name] = module
            for imported in module.imports():
                follow(imported, roots, found)


def _located(parts: list[str], roots: tuple[Path, ...]) -> list[Module]:
    """The packages around a module, as far as they are local, and itself where it is one; none where none has code."""
    if parts[0] == OURS or parts[0] in sys.stdlib_module_names:
        return []
    for root in roots:
        modules, folder = list[Module](), root
        for number, part in enumerate(parts, 1):
            name = ".".join(parts[:number])
            package, file = folder / part / "__init__.py", folder / f"{part}.py"
            path = package if package.is_file() else file if file.is_file() else folder / part
            if not path.exists():
                break
            modules.append(Module.read(name, path))
            folder = folder / part
        while modules and modules[-1].source is None:  # a folder is a package where a module stands in it
            modules.pop()
        if modules:
            _refuse_two(modules[0])
            return modules
    return []


def _refuse_two(top: Module) -> None:
    sites = [entry for entry in sys.path if _is_installed(Path(entry).resolve())]
    spec = PathFinder.find_spec(top.name, sites)
    if spec is not None and spec.origin is not None:
        raise SettingsError(f"{top.path}: {top.name!r} is also an installed package ({spec.origin}) — rename yours")
