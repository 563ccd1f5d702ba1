"""Run by itself (`chat.py`): reads a template and conversations as JSON from standard input, and writes the rendered ones as JSON.

It imports nothing of acclimate, and begins by giving up memory and time beyond what a template needs.
"""

import json
import sys
from typing import Any

MEMORY = 1 << 30  # bytes of address space
SECONDS = 600  # of processor time
LONGEST = 1 << 20  # characters of one conversation


def main() -> None:
    """Render what is asked for."""
    _limit()
    asked = json.load(sys.stdin)
    try:
        template = _compiled(asked["template"])
    except Exception as error:  # a stranger's program: whatever it trips over
        print(json.dumps({"error": _told(error)}))
        return
    texts = []
    for row, (messages, answer) in enumerate(asked["conversations"]):
        try:
            prompt = _render(template, messages, asked["tokens"], True)
            if answer is None:
                texts.append([prompt, ""])
                continue
            whole = _render(template, [*messages, {"role": "assistant", "content": answer}], asked["tokens"], False)
            if not whole.startswith(prompt):
                raise ValueError("an answer does not stand directly behind the prompt that it writes (`add_generation_prompt`)")
            if whole == prompt:
                raise ValueError("it leaves the answer out")
        except Exception as error:
            print(json.dumps({"error": _told(error), "row": row}))
            return
        texts.append([prompt, whole[len(prompt) :]])
    print(json.dumps({"texts": texts}))


def _limit() -> None:
    try:
        import resource
    except ImportError:  # Windows has none: the time limit of whoever started this is left
        return
    for what, most in ((resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_FSIZE, 0)):
        try:
            resource.setrlimit(what, (most, most))
        except (ValueError, OSError):
            continue  # some systems refuse a limit of memory


def _compiled(text: str) -> Any:
    from jinja2 import TemplateError, nodes
    from jinja2.ext import Extension
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Generation(Extension):
        """`{% generation %}`: marks what the assistant says, and changes nothing of it."""

        tags = {"generation"}  # noqa: RUF012

        def parse(self, parser: Any) -> list[nodes.Node]:
            next(parser.stream)
            body: list[nodes.Node] = parser.parse_statements(("name:endgeneration",), drop_needle=True)
            return body

    def raise_exception(message: str) -> None:
        raise TemplateError(message)

    def tojson(value: Any, ensure_ascii: bool = False, indent: int | None = None, **_: Any) -> str:
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent)

    # As transformers sets it up; the date, which would be another one every day, is left undefined.
    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, "jinja2.ext.loopcontrols"])
    environment.filters["tojson"] = tojson
    environment.globals["raise_exception"] = raise_exception
    return environment.from_string(text)


def _render(template: Any, messages: list[dict[str, str]], tokens: dict[str, str], asking: bool) -> str:
    parts, size = [], 0
    for part in template.generate(messages=messages, tools=None, documents=None, add_generation_prompt=asking, **tokens):
        size += len(part)
        if size > LONGEST:
            raise ValueError(f"it writes more than {LONGEST:,} characters")
        parts.append(part)
    return "".join(parts)


def _told(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".strip().splitlines()[0][:300]


if __name__ == "__main__":
    main()
