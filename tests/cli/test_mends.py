from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from acclimate.cli.guard import guarded
from acclimate.cli.mends import in_options
from acclimate.errors import DataError

OPTIONS = ("--text", "--encoding", "--delimiter", "--header", "--no-header", "--skip-bad")


@pytest.mark.parametrize(
    ("said", "option"),
    [
        ("name it with `text:`", "name it with --text"),
        ("say `encoding: cp1252`", "say --encoding cp1252"),
        ("say `delimiter: ;`", "say --delimiter ';'"),
        ("say `text: '2'`", "say --text 2"),
        ("say `header: false`", "say --no-header"),
        ("say `header: true`", "say --header"),
        ("set `skip_bad: true`", "set --skip-bad"),
        ("say `split_seed: 3` or `label:`", "say `split_seed: 3` or `label:`"),  # not among the verb's options
    ],
)
def test_a_verb_names_its_own_options_and_leaves_what_it_does_not_have(said, option):
    assert in_options(said, OPTIONS) == option


def test_an_error_reaches_the_user_of_a_verb_with_the_options_of_this_verb():
    app = typer.Typer()

    @app.command()
    @guarded
    def verb(text: Annotated[str, typer.Option("--text")] = "", keep: Annotated[bool, typer.Option("--keep/--no-keep")] = True) -> None:
        raise DataError("a.csv: which column is the text? Name it with `text:`; or say `encoding: cp1252` and `keep: false`")

    result = CliRunner().invoke(app, [])
    assert result.exit_code == 2
    assert "Name it with --text; or say `encoding: cp1252` and --no-keep" in result.output
