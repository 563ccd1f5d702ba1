"""Before anything is spent, the plan says what of long texts would not be read, or refuses them."""

STUDY = """
{head}
seeds: 2
labels: [30, all]
recipes:
  cut: [finetune: {{ max_length: 8 }}]
  whole: [finetune: {{ max_length: 8, long: LONG }}]
"""


def test_the_plan_says_what_is_cut_once_a_recipe(acclimate, write_study, tmp_path):
    write_study(tmp_path, STUDY.replace("LONG", "windows"))
    ran = acclimate("plan", "study.yaml", folder=tmp_path)
    assert ran.returncode == 0
    (note,) = (line for line in ran.stdout.splitlines() if " are cut: " in line)
    assert note.startswith("note: cut: texts longer than 8 tokens are cut: of all tokens ")
    assert note.endswith(" are not read — `long: windows` reads texts whole, a larger `max_length` cuts less")


def test_the_plan_refuses_long_texts_where_that_was_asked_for(acclimate, write_study, tmp_path):
    write_study(tmp_path, STUDY.replace("LONG", "error"))
    ran = acclimate("plan", "study.yaml", folder=tmp_path)
    assert ran.returncode == 2
    assert "error: recipes.whole: long: error, and texts are longer than the 8 tokens of a window: " in ran.stderr
    assert "of 30 in train, " in ran.stderr
    assert " of 60 in test; the longest has 17 — `long: windows` reads texts whole" in ran.stderr
