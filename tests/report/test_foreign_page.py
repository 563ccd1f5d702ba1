"""A page never replaces what is no page of acclimate."""

import pytest

from acclimate.errors import SettingsError
from acclimate.report.pages.page import write_reports


def test_a_page_is_written_again_and_nothing_else_is_replaced(folder, tmp_path):
    page = tmp_path / "page.html"
    write_reports([folder], page)
    write_reports([folder], page)
    for name, content in (("thesis.html", "<html>mine</html>"), ("notes.txt", "mine")):
        (tmp_path / name).write_text(content)
        with pytest.raises(SettingsError, match="no report of acclimate"):
            write_reports([folder], tmp_path / name)
        assert (tmp_path / name).read_text() == content
    (tmp_path / "pages").mkdir()
    with pytest.raises(SettingsError, match="is a folder"):
        write_reports([folder], tmp_path / "pages")
