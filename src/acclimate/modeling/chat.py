"""Conversations as texts: a tokenizer's own template, written in Jinja by whoever made the model, renders them in a process of its own.

A template is a stranger's program. It runs in a sandbox (`chat_child.py`) without files, network or Python's objects, and its process has
limits on memory, time and what it may write.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from acclimate.errors import DataError, ModelError
from acclimate.modeling import chat_child
from acclimate.modeling.base_files import CHAT_TEMPLATE, TOKENIZER_CONFIG

LONGEST_TEMPLATE = 1 << 16  # characters; the longest of well-known models have 10,000
SECONDS = 60.0  # to begin with, and so many more for every thousand conversations


class Chat(NamedTuple):
    """How a model's conversations are written."""

    template: str
    tokens: dict[str, str]
    """`bos_token` and its like, which templates name."""

    @classmethod
    def of(cls, folder: Path) -> "Chat | None":
        """That of a model's folder; None where its tokenizer has no template.

        Raises:
            ModelError: the template is longer than any that is known.
        """
        config = _config(folder / TOKENIZER_CONFIG)
        file = folder / CHAT_TEMPLATE
        template: Any = file.read_text(encoding="utf-8") if file.is_file() else config.get("chat_template")
        if isinstance(template, list):  # several by name
            named = {each.get("name"): each.get("template") for each in template if isinstance(each, dict)}
            template = named.get("default")
        if not isinstance(template, str) or not template.strip():
            return None
        if len(template) > LONGEST_TEMPLATE:
            raise ModelError(f"{folder}: its chat template has {len(template):,} characters, and {LONGEST_TEMPLATE:,} are read at most")
        tokens = {name: _content(value) for name, value in config.items() if name.endswith("_token")}
        return cls(template, {name: value for name, value in tokens.items() if value is not None})

    def rendered(self, conversations: Sequence[tuple[list[dict[str, str]], str | None]], where: str) -> list[tuple[str, str]]:
        """Of each conversation and the answer to it the prompt and the completion, as the template writes them; `where` is in messages.

        The completion is empty where there is no answer.

        Raises:
            ModelError: the template fails, takes too much time or memory, or does not put an answer behind its own prompt.
        """
        asked = {"template": self.template, "tokens": self.tokens, "conversations": list(conversations)}
        limit = SECONDS * (1 + len(conversations) / 1000)
        try:
            done = subprocess.run(
                [sys.executable, "-I", chat_child.__file__],
                input=json.dumps(asked).encode(),
                capture_output=True,
                timeout=limit,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise ModelError(f"{where}: its chat template takes longer than {limit:.0f} seconds, and was stopped") from error
        try:
            found = json.loads(done.stdout)
        except ValueError:
            found = {"error": "its process ended without an answer: it takes too much memory or time"}
        if "error" in found:
            row = f", conversation {found['row'] + 1}" if "row" in found else ""
            raise ModelError(f"{where}: its chat template cannot be used{row} ({found['error']})")
        return [(prompt, completion) for prompt, completion in found["texts"]]


def chat_of(folder: Path, name: str) -> Chat:
    """The template of a model's folder; `name` is what messages call the model.

    Raises:
        DataError: its tokenizer has none.
        ModelError: as `Chat.of`.
    """
    found = Chat.of(folder)
    if found is None:
        raise DataError(
            f"messages: the tokenizer of {name} has no chat template (`chat_template` of tokenizer_config.json), so "
            "conversations cannot be written as it knows them — take a model made for conversations, or give `prompt` and `completion`"
        )
    return found


def _config(file: Path) -> dict[str, Any]:
    found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return found if isinstance(found, dict) else {}


def _content(value: Any) -> str | None:
    content = value.get("content") if isinstance(value, dict) else value
    return content if isinstance(content, str) else None
