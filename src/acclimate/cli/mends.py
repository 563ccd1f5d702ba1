"""Mends in a verb's own words: where a study file says `encoding: cp1252`, a verb has the option `--encoding cp1252`."""

import inspect
import re
import shlex
from collections.abc import Callable, Collection

from typer.models import OptionInfo

_SETTING = re.compile(r"`([a-z_]+):(?: ([^`\n]+))?`|`(skip_bad)`")


def in_options(message: str, options: Collection[str]) -> str:
    """A message that names settings in backticks, with those that are among a verb's `options` (`--text`, ...) named as such."""

    def option(match: re.Match[str]) -> str:
        name, value = match[1] or match[3], match[2]
        flag = f"--{name.replace('_', '-')}"
        if value == "false":
            flag, value = f"--no-{name.replace('_', '-')}", None
        if flag not in options:
            return match[0]
        return flag if value in (None, "true") else f"{flag} {shlex.quote(value.strip(chr(39)))}"

    return _SETTING.sub(option, message)


def options_of(verb: Callable[..., object]) -> set[str]:
    """The options of a verb as one types them: `--text`, `--header`, `--no-header`, ..."""
    options = set()
    for name, parameter in inspect.signature(verb, eval_str=True).parameters.items():
        for info in getattr(parameter.annotation, "__metadata__", ()):
            if isinstance(info, OptionInfo):
                # Inside `Annotated` the first flag stands where a default would.
                flags = [flag for flag in (info.default, *(info.param_decls or ())) if isinstance(flag, str)]
                options |= {one for flag in flags or [f"--{name.replace('_', '-')}"] for one in flag.split("/")}
    return options
