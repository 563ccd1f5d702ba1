from acclimate.wording import side_by_side


def test_names_that_have_commas_are_kept_apart():
    assert side_by_side(["DAPT", "TAPT"]) == "DAPT, TAPT"
    assert side_by_side(["2 layers", "2 layers, text"]) == "2 layers; 2 layers, text"
