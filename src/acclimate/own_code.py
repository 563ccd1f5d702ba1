"""Code of a user's own, `module:function`: found and digested without being imported, and imported as it was digested."""

import ast
import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_loader
from pathlib import Path
from types import CodeType
from typing import Any, Self

from acclimate.errors import AcclimateError, SettingsError, did_you_mean, first_line
from acclimate.files import digest_json
from acclimate.local_modules import OURS, Module, follow, python_path, roots_of


@dataclass(frozen=True)
class OwnCode:
    """A function of a user's own, with the sources of all local modules that it takes."""

    module: str
    function: str
    modules: Mapping[str, Module]
    """By name, in the order of names: the module itself, the packages around it, and the local modules that these import."""

    @classmethod
    def find(cls, written: str, beside: Path) -> Self:
        """The function that `module:function` names; `beside` is the folder of the study file. Nothing is imported.

        Raises:
            SettingsError: there is no such module or function, or it goes by the name of an installed package.
        """
        module, _, function = written.partition(":")
        roots = roots_of(beside)
        top = module.partition(".")[0]
        if top == OURS or top in sys.stdlib_module_names:
            raise SettingsError(f"{written}: {top!r} is a module of {'acclimate' if top == OURS else 'Python'} itself — rename yours")
        found: dict[str, Module] = {}
        for more in ((), *((folder,) for folder in python_path() if folder not in roots)):
            if module not in found:
                found.clear()
                follow(module, (*roots, *more), found)
        if module not in found:
            places = ", ".join(str(root) for root in roots)
            said = f"{module.replace('.', '/')}.py"
            raise SettingsError(f"{written}: there is no {said} beside the study file or in the current folder (looked in {places})")
        code = cls(module, function, dict(sorted(found.items())))
        code._definition()
        return code

    @classmethod
    def again(cls, written: str, files: Mapping[str, str], digest: str | None) -> Self:
        """The function whose modules stand in `files`, by name; in another process, say.

        Raises:
            SettingsError: their sources are not those of this `digest`.
        """
        module, _, function = written.partition(":")
        code = cls(module, function, {name: Module.read(name, Path(path)) for name, path in files.items()})
        if code.digest != digest:
            raise SettingsError(f"{written}: its files changed while the study ran; run the same command again")
        return code

    @property
    def files(self) -> dict[str, str]:
        """Where each module is."""
        return {name: str(module.path) for name, module in self.modules.items()}

    @property
    def file(self) -> Path:
        """Where the function is written."""
        return self.modules[self.module].path

    @property
    def written(self) -> str:
        """As a study file says it."""
        return f"{self.module}:{self.function}"

    @property
    def digest(self) -> str:
        """SHA-256 of the names and sources of all modules; where they stand is no part of it."""
        return digest_json({name: hashlib.sha256(module.source or b"").hexdigest() for name, module in self.modules.items()})

    @property
    def told(self) -> str:
        """The function, the names of its modules and the digest, in words."""
        more = [name for name, module in self.modules.items() if name != self.module and module.source]
        return f"{self.written}{' with ' if more else ''}{', '.join(more)} (SHA-256 {self.digest[:16]})"

    def check_settings(self, names: tuple[str, ...], positional: int) -> None:
        """Refuse settings that the function does not take besides so many positional arguments, as far as its definition says.

        Raises:
            SettingsError: which one it does not take, or lacks.
        """
        node = self._definition()
        if not isinstance(node, ast.FunctionDef) or node.decorator_list:
            return  # a class, something that was imported or assigned, or what a decorator makes of it
        at = f"{self.file}:{node.lineno}: {self.function}"
        ordered, only = [*node.args.posonlyargs, *node.args.args], node.args.kwonlyargs
        if len(ordered) < positional and node.args.vararg is None:
            raise SettingsError(f"{at} takes {len(ordered)} arguments in order, and is given {positional}")
        taken = [argument.arg for argument in (*node.args.args, *only)][max(0, positional - len(node.args.posonlyargs)) :]
        if node.args.kwarg is None and (unknown := [name for name in names if name not in taken]):
            takes = f"; it takes {', '.join(taken)}" if taken else "; it takes none"
            raise SettingsError(f"{at} takes no setting {unknown[0]!r}{did_you_mean(unknown[0], taken) or takes}")
        given_by_itself = len(ordered) - len(node.args.defaults)
        needed = [argument.arg for argument in ordered[positional:given_by_itself]]
        needed += [argument.arg for argument, value in zip(only, node.args.kw_defaults, strict=True) if value is None]
        if lacking := [name for name in needed if name not in names]:
            raise SettingsError(f"{at} needs the setting {lacking[0]!r} — `{self.written}: {{{lacking[0]}: ...}}`")

    def _definition(self) -> ast.stmt:
        """Where the module says what the function is."""
        module, known = self.modules[self.module], dict[str, ast.stmt]()
        for node in _statements(module.tree.body):
            known |= dict.fromkeys(_names_of(node), node)
        if self.function not in known and "*" not in known:
            mend = did_you_mean(self.function, [*known])
            raise SettingsError(f"{self.written}: {module.path} has no function {self.function!r}{mend}")
        return known.get(self.function) or known["*"]

    def load(self) -> Callable[..., Any]:
        """The function, with all local modules as they were digested, whatever is in memory or on the disk by now.

        Raises:
            SettingsError: the module cannot be imported, or its function cannot be called.
        """
        for name in self.modules:  # of another study in this process, or of an earlier state of the files
            sys.modules.pop(name, None)
        # It stays: a function may import more when it is called.
        sys.meta_path[:] = [Digested(self.modules), *(finder for finder in sys.meta_path if not isinstance(finder, Digested))]
        try:
            function = getattr(__import__(self.module, fromlist=[self.function]), self.function)
        except AcclimateError:
            raise
        except (Exception, SystemExit) as error:
            raise SettingsError(f"{self.written} cannot be imported: {self.told_error(error)}") from error
        if not callable(function):
            raise SettingsError(f"{self.written}: {self.file} makes {self.function!r} a {type(function).__name__}, which cannot be called")
        made: Callable[..., Any] = function
        return made

    def told_error(self, error: BaseException) -> str:
        """What went wrong, with the last line of the user's own that led there."""
        own = {str(module.path) for module in self.modules.values()}
        at, trace = "", error.__traceback__
        while trace is not None:
            file = trace.tb_frame.f_code.co_filename
            at = f" ({file}:{trace.tb_lineno})" if file in own else at
            trace = trace.tb_next
        return f"{type(error).__name__}: {first_line(error)}{at}"


class Digested(MetaPathFinder):
    """Finds modules by the sources that were digested; a module in one of their packages that was not is found by nobody."""

    def __init__(self, modules: Mapping[str, Module]) -> None:
        self._modules = modules

    def find_spec(self, fullname: str, path: object = None, target: object = None) -> ModuleSpec | None:
        """The module of this name, if it is one of them."""
        module = self._modules.get(fullname)
        if module is None:
            return None
        if module.source is None:
            spec = ModuleSpec(fullname, None, is_package=True)
        else:
            made = spec_from_loader(fullname, _Source(fullname, module), is_package=module.is_package)
            assert made is not None
            spec = made
            spec.origin, spec.has_location = str(module.path), True
        if module.is_package:
            spec.submodule_search_locations = []
        return spec


class _Source(SourceFileLoader):
    """Compiles the source that was digested: bytecode is told from its source by whole seconds and sizes alone."""

    def __init__(self, name: str, module: Module) -> None:
        super().__init__(name, str(module.path))
        self._source = module.source or b""

    def get_code(self, fullname: str) -> CodeType:
        """Of the whole module."""
        code: CodeType = compile(self._source, self.path, "exec", dont_inherit=True)
        return code


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Those that name something for the whole module, wherever in an `if` or `try`; not what functions and classes keep for themselves."""
    for node in body:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for inner in (node, *getattr(node, "handlers", ())):
                for part in ("body", "orelse", "finalbody"):
                    yield from _statements(getattr(inner, part, []))


def _names_of(node: ast.stmt) -> list[str]:
    """What a statement names."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Import | ast.ImportFrom):
        return [(alias.asname or alias.name).partition(".")[0] for alias in node.names]
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return [name.id for target in targets for name in ast.walk(target) if isinstance(name, ast.Name)]
