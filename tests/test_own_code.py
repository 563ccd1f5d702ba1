"""Code of a user's own is found and digested without being imported, and imported as it was digested."""

import sys

import pytest

from acclimate.errors import SettingsError
from acclimate.own_code import Digested, OwnCode

LOSS = """\
import math
import helpers
from . import near
from .below import scale as factor


def my_loss(outputs, labels, *, gamma=1.0):
    from late import late
    return (outputs, labels, gamma, helpers.HELP, near.NEAR, factor, late)


open(__file__ + '.imported', 'w').close()
"""


@pytest.fixture(autouse=True)
def as_it_was():
    finders, names = [*sys.meta_path], {*sys.modules}
    yield
    sys.meta_path[:] = finders
    for name in {*sys.modules} - names:
        del sys.modules[name]


def write(folder, files):
    for name, source in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(source)
    return folder


@pytest.fixture
def study(tmp_path, monkeypatch):
    """The folder of a study, beside it a package without `__init__.py`; the current folder is another, which has a module, too."""
    here = write(tmp_path / "here", {"late.py": "late = 'late'\n", "foreign.py": ""})
    monkeypatch.chdir(here)
    files = {"my/losses.py": LOSS, "my/near.py": "NEAR = 1\n", "my/below/__init__.py": "from .deep import scale\n"}
    files |= {"my/below/deep.py": "scale = 2\n", "helpers.py": "HELP = 3\n", "other.py": ""}
    return write(tmp_path / "study", files)


def test_it_is_found_with_all_local_modules_that_it_imports_and_none_is_imported(study):
    code = OwnCode.find("my.losses:my_loss", study)
    assert [*code.modules] == ["helpers", "late", "my", "my.below", "my.below.deep", "my.losses", "my.near"]
    assert code.file == study / "my" / "losses.py"
    assert not (study / "my" / "losses.py.imported").exists()
    assert code.told.startswith("my.losses:my_loss with helpers, late, my.below, my.below.deep, my.near (SHA-256 ")


@pytest.mark.parametrize(
    "name", ["my/losses.py", "my/near.py", "my/below/__init__.py", "my/below/deep.py", "helpers.py", "../here/late.py"]
)
def test_the_digest_moves_with_the_source_of_every_module_that_it_takes(study, name):
    before = OwnCode.find("my.losses:my_loss", study).digest
    (study / name).write_text((study / name).read_text() + "# said otherwise\n")
    assert OwnCode.find("my.losses:my_loss", study).digest != before


def test_the_digest_stays_where_another_file_changes_and_where_all_of_it_stands_elsewhere(study, tmp_path, monkeypatch):
    before = OwnCode.find("my.losses:my_loss", study).digest
    write(study, {"other.py": "1", "../here/foreign.py": "2", "my/fresh.py": "3"})
    assert OwnCode.find("my.losses:my_loss", study).digest == before
    write(study, {"late.py": (tmp_path / "here" / "late.py").read_text()})
    moved = study.rename(tmp_path / "moved")
    monkeypatch.chdir(tmp_path)
    assert OwnCode.find("my.losses:my_loss", moved).digest == before


def test_it_is_imported_as_it_was_digested_whatever_is_in_memory_or_on_the_disk(study, tmp_path, monkeypatch):
    code = OwnCode.find("my.losses:my_loss", study)
    write(study, {"helpers.py": "HELP = 4\n"})
    monkeypatch.chdir(tmp_path)
    function = code.load()
    assert function("o", "l", gamma=2) == ("o", "l", 2, 3, 1, 2, "late")
    assert (study / "my" / "losses.py.imported").exists()
    again = OwnCode.find(
        "my.losses:my_loss", write(tmp_path / "again", {"my/losses.py": "def my_loss(outputs, labels): return 7\n"})
    ).load()
    assert again(0, 0) == 7
    assert sum(isinstance(finder, Digested) for finder in sys.meta_path) == 1


def test_what_was_not_digested_is_not_found_in_its_packages(study):
    write(study, {"my/losses.py": "import importlib\ndef my_loss(o, l): return importlib.import_module('my.near')\n"})
    function = OwnCode.find("my.losses:my_loss", study).load()
    with pytest.raises(ModuleNotFoundError, match="near"):
        function(0, 0)


def test_a_function_elsewhere_on_the_path_is_found_and_what_stands_beside_it_is_local(study, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(
        write(tmp_path / "lib", {"far.py": "import beside\ndef f(o, l): return beside.B\n", "beside.py": "B = 5\n"})
    )
    code = OwnCode.find("far:f", study)
    assert [*code.modules] == ["beside", "far"]
    assert code.load()(0, 0) == 5


@pytest.mark.parametrize(
    ("written", "files", "says"),
    [
        ("nothing:f", {}, "there is no nothing.py beside the study file or in the current folder"),
        ("my:f", {}, "there is no my.py"),
        ("my.losses:my_lose", {}, "losses.py has no function 'my_lose'; did you mean 'my_loss'"),
        ("json:f", {"json.py": "def f(o, l): ..."}, "'json' is a module of Python itself — rename yours"),
        ("acclimate.stages:f", {}, "'acclimate' is a module of acclimate itself"),
        ("numpy:f", {"numpy.py": "def f(o, l): ..."}, "numpy.py: 'numpy' is also an installed package .* — rename yours"),
        ("broken:f", {"broken.py": "def f(o, l):\n  return (\n"}, r"broken.py:2: this is no Python"),
        ("using:f", {"using.py": "import helpers2\ndef f(o, l): ...", "helpers2.py": "def ("}, "helpers2.py:1: this is no Python"),
    ],
)
def test_what_cannot_be_found_is_said_before_anything_is_imported(study, written, files, says):
    with pytest.raises(SettingsError, match=says):
        OwnCode.find(written, write(study, files))


@pytest.mark.parametrize(
    ("definition", "settings", "says"),
    [
        ("def f(o, l, *, gamma=1): ...", ("gama",), r"of.py:1: f takes no setting 'gama'; did you mean 'gamma'"),
        ("def f(o, l): ...", ("gamma",), "takes no setting 'gamma'; it takes none"),
        ("def f(o): ...", (), "takes 1 arguments in order, and is given 2"),
        ("def f(o, l, gamma): ...", (), "needs the setting 'gamma'"),
        ("def f(o, l, *, gamma): ...", (), "needs the setting 'gamma'"),
        ("def f(o, l, /, gamma=1): ...", ("l",), "takes no setting 'l'"),
        ("def f(o, l, gamma=1, *, beta): ...", ("beta", "gamma"), None),
        ("def f(*all, **more): ...", ("gamma",), None),
        ("f = print", ("gamma",), None),
    ],
)
def test_settings_are_those_that_its_definition_takes(study, definition, settings, says):
    code = OwnCode.find("of:f", write(study, {"of.py": definition}))
    if says is None:
        return code.check_settings(settings, 2)
    with pytest.raises(SettingsError, match=says):
        code.check_settings(settings, 2)


@pytest.mark.parametrize(
    "more",
    [
        "class Other:\n    def loss(self): pass",
        "def outer():\n    def loss(): pass",
        "def wrapped(function): return lambda outputs, labels: outputs\n@wrapped\ndef loss(): pass",
        "loss, other = (lambda outputs, labels: outputs), 2",
    ],
)
def test_a_definition_is_that_of_the_module_as_others_see_it(tmp_path, more):
    write(
        tmp_path, {"mine.py": f"def loss(outputs, labels): return outputs\n{more}\ndef inner():\n    def hidden(outputs, labels): pass\n"}
    )
    OwnCode.find("mine:loss", tmp_path).check_settings((), positional=2)
    with pytest.raises(SettingsError, match="has no function 'hidden'"):
        OwnCode.find("mine:hidden", tmp_path)


def test_a_module_that_is_nested_too_deeply_to_be_read_is_no_python(tmp_path):
    write(tmp_path, {"mine.py": f"loss = {'-' * 100_000}1\n"})
    with pytest.raises(SettingsError, match=r"mine\.py: this is no Python"):
        OwnCode.find("mine:loss", tmp_path)


def test_a_module_that_fails_says_in_which_of_its_lines(study):
    write(study, {"failing.py": "import fails\ndef f(o, l): ...\n", "fails.py": "x = 1\nx / 0\n", "number.py": "f = 1\n"})
    with pytest.raises(SettingsError, match=r"failing:f cannot be imported: ZeroDivisionError: .*fails.py:2\)"):
        OwnCode.find("failing:f", study).load()
    with pytest.raises(SettingsError, match="leaving:f cannot be imported: SystemExit: 3"):
        OwnCode.find("leaving:f", write(study, {"leaving.py": "def f(o, l): ...\nraise SystemExit(3)\n"})).load()
    with pytest.raises(SettingsError, match="'f' a int, which cannot be called"):
        OwnCode.find("number:f", study).load()
