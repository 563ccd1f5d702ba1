"""For the documentation's site (mkdocs.yml): what pages link to outside of docs/ comes along under `repository/`, and links lead there.

On GitHub the same links lead into the repository; here a page such as ../CONTRIBUTING.md is a page of the site, an example a file of it.
"""

import os
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
LINK = re.compile(r"(\]\()([^)\s#]+)(#[^)\s]*)?(\))")
CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)


def on_files(files: Any, config: Any) -> Any:
    """Add the files that pages link to, and those that these link to."""
    open_pages = sorted(DOCS.rglob("*.md"))
    seen = set(open_pages)
    while open_pages:
        page = open_pages.pop()
        for target in sorted(_targets(page) - seen):
            seen.add(target)
            if target.is_file() and not target.is_relative_to(DOCS):
                files.append(File.generated(config, _uri(target), abs_src_path=str(target)))
                open_pages += [target] if target.suffix == ".md" else []
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Links as they are from where the page stands on the site; a folder, which has no page, becomes its name alone."""
    source = Path(page.file.abs_src_path)
    here = os.path.dirname(page.file.src_uri)

    def link(match: re.Match[str]) -> str:
        target = (source.parent / match[2]).resolve()
        if re.match(r"[a-z]+:", match[2]) or not target.is_file():
            return match[0]
        return f"{match[1]}{os.path.relpath(_uri(target), here or '.')}{match[3] or ''}{match[4]}"

    def prose(text: str) -> str:
        text = LINK.sub(link, text)
        return re.sub(r"\[([^\]]+)\]\((?![a-z]+:)[^)\s#]+/\)", r"\1", text)

    return "".join(part if part.startswith("`") else prose(part) for part in _parts(markdown))


def _parts(markdown: str) -> list[str]:
    return CODE.split(markdown)


def _targets(page: Path) -> set[Path]:
    text = "".join(part for part in _parts(page.read_text(encoding="utf-8")) if not part.startswith("`"))
    return {(page.parent / link).resolve() for _, link, _, _ in LINK.findall(text) if not re.match(r"[a-z]+:", link)}


def _uri(target: Path) -> str:
    return str(target.relative_to(DOCS)) if target.is_relative_to(DOCS) else f"repository/{target.relative_to(ROOT)}"
