"""What a study may replace in its output folder, and what must not stay there."""

import pytest

from acclimate.errors import SettingsError
from acclimate.study.outputs import COMPARED, MADE, clear, refuse_foreign


def test_somebodys_own_folder_is_never_replaced(tmp_path):
    refuse_foreign(tmp_path)
    (tmp_path / "models").mkdir()
    refuse_foreign(tmp_path)  # empty: nothing is lost
    (tmp_path / "models/precious").mkdir()
    with pytest.raises(SettingsError, match="no study made it"):
        refuse_foreign(tmp_path)
    (tmp_path / "study.json").write_text("{}")
    refuse_foreign(tmp_path)


def test_a_study_yaml_that_no_study_wrote_is_never_replaced(tmp_path):
    (tmp_path / "study.yaml").write_text("x")
    with pytest.raises(SettingsError, match=r"study\.yaml that no study wrote"):
        refuse_foreign(tmp_path)


@pytest.mark.parametrize("names", [COMPARED, MADE])
def test_nothing_of_the_other_kind_of_study_stays(tmp_path, names):
    for name in names:
        path = tmp_path / name
        path.write_text("x") if "." in name else path.mkdir()
    (tmp_path / "study.json").write_text("{}")
    clear(tmp_path, names)
    clear(tmp_path, names)  # nothing there is no mistake
    assert [path.name for path in tmp_path.iterdir()] == ["study.json"]
