"""The paths of what a study came to: its report, its models to try side by side, and their folders to take away."""

import re
from dataclasses import dataclass, field
from functools import cache
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from acclimate.errors import AcclimateError, SettingsError
from acclimate.page import models
from acclimate.page.asked import of_address, of_form
from acclimate.page.begun import begun_with, elsewhere, status_of
from acclimate.page.desk import Desk
from acclimate.page.models import Model, Tried, Trying
from acclimate.page.paths import FORM_SECONDS, Paths
from acclimate.page.shown import page
from acclimate.page.studies import StudyFile
from acclimate.page.zipped import zipped
from acclimate.report.pages.attention_page import attention_page
from acclimate.report.pages.card import HANDED_OVER
from acclimate.report.pages.page import CHOOSES, NAME, SORTS, script_digest
from acclimate.study.attended import Wanted, attend, plain_kind

LONGEST_SENTENCE = 1000  # characters
# What a browser would begin to load before it asks the policy. Reports have none of it: text of the data stands escaped in them.
_LEADS_AWAY = re.compile(r"<(iframe|frame|frameset|object|embed|applet|portal|fencedframe|base|form|link)\b", re.IGNORECASE)
_META = re.compile(r"<meta\b", re.IGNORECASE)
_OWN_META = re.compile(r'<meta (charset="utf-8"|(name="[a-z]+"|http-equiv="Content-Security-Policy") content="[^"<>]*")>')


@dataclass
class Came(Paths):
    """A study that is done."""

    trying: Trying
    asking: Desk = field(default_factory=lambda: Desk("models", 8))

    async def results(self, request: Request) -> Response:
        """The report in a frame, and the models."""
        fields = of_address(request)
        return await self._shown(await self.opened(fields), Tried((), ""))

    async def ask(self, request: Request) -> Response:
        """What models say of a text."""
        fields = await of_form(request, FORM_SECONDS)
        opened = await self.opened(fields)
        tried = Tried(tuple(fields.all("model")), fields.text("text"), fields.text("text_b"), fields.text("documents"))
        return await self._shown(opened, tried, True)

    async def report(self, request: Request) -> Response:
        """The report, as a frame shows it: of whatever stands in the file no script runs but the report's own, and nothing is fetched."""
        opened = await self.opened(of_address(request))
        _only_in_a_frame(request)
        file = self.home.within(opened.out() / NAME)
        try:
            text = await self.planning.do(lambda: file.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{NAME}: cannot be read; `acclimate report` writes it again") from error
        if _LEADS_AWAY.search(text) or len(_META.findall(text)) != len(_OWN_META.findall(text)):
            raise SettingsError(f"{NAME}: acclimate did not write this; `acclimate report {self.home.shown(file.parent)}` writes it again")
        return HTMLResponse(text, headers={"content-security-policy": _framed()})

    async def attention(self, request: Request) -> Response:
        """What the heads of models attend to in a sentence, as a frame shows it."""
        fields = of_address(request)
        opened = await self.opened(fields)
        _only_in_a_frame(request)
        sentence, second, names = fields.text("text"), fields.text("text_b"), fields.all("model")
        if not 0 < len(sentence) <= LONGEST_SENTENCE or len(second) > LONGEST_SENTENCE:
            raise SettingsError(f"attention is shown of a sentence of at most {LONGEST_SENTENCE:,} characters")

        def drawn() -> str:
            chosen = [model for model in models.offered(self.home, opened) if model.name in names]
            if not chosen:
                raise SettingsError("tick a model")
            without = [model for model in chosen if plain_kind(str(model.folder)) is not None]
            seen = [model for model in chosen if model not in without] or chosen  # none has: that is said as an error
            titles = {str(model.folder): model.title for model in seen}
            facts = attend(Wanted([*titles], sentence, second=second.strip() or None, called=titles), lambda line: None)
            facts["notes"] += [f"{model.title} has no attention, and is left out" for model in without]
            return attention_page(facts)

        text = await self.asking.do(drawn)
        return HTMLResponse(text, headers={"content-security-policy": _framed()})

    async def download(self, request: Request) -> Response:
        """A model's folder as a zip."""
        fields = of_address(request)
        opened, name = await self.opened(fields), fields.one("model")
        folder = self.home.within(opened.out() / name)
        if name not in HANDED_OVER or not folder.is_dir():
            raise SettingsError(f"{name[:80]!r}: this study handed over no such model")
        called = f"{opened.valid.name}-{name}"
        disposition = f"attachment; filename*=UTF-8''{quote(called, safe='')}.zip"
        return StreamingResponse(zipped(folder, called), media_type="application/zip", headers={"content-disposition": disposition})

    async def _shown(self, opened: StudyFile, tried: Tried, asked: bool = False) -> Response:
        found: tuple[Model, ...] = ()
        said, answers = "", list[models.Answer]()
        try:
            found = await self.planning.do(lambda: models.offered(self.home, opened))
            answers = await self.asking.do(lambda: self.trying.answers(opened, found, tried)) if asked else []
        except AcclimateError as error:
            said = str(error)
        unread = await self.planning.do(lambda: elsewhere(self.home, opened, begun_with(status_of(self.home, opened))))
        shown = {"opened": opened, "models": found, "tried": tried, "answers": answers, "said": said, "elsewhere": unread}
        shown["searched"] = models.searched(opened)
        taken = {model.name for model in found} & {*HANDED_OVER}
        return page("results", self.home, 400 if said else 200, **shown, handed_over=[name for name in HANDED_OVER if name in taken])


def _only_in_a_frame(request: Request) -> None:
    # By itself such a page could go elsewhere; in a frame of ours the browser keeps it here.
    if request.headers.get("sec-fetch-dest", "iframe") != "iframe":
        raise SettingsError("this is shown in a frame of the page, not by itself")


@cache
def _framed() -> str:
    """The policy of pages in frames: an origin of their own, our scripts, no request, no form."""
    scripts = " ".join(f"'sha256-{script_digest(names)}'" for names in ((SORTS,), (SORTS, CHOOSES)))
    return (
        f"default-src 'none'; style-src 'unsafe-inline'; script-src {scripts}; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'self'; sandbox allow-scripts"
    )
