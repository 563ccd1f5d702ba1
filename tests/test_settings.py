"""What settings say of themselves, which is read when it is asked for."""

from acclimate.settings import Settings, docstrings


class Parent(Settings):
    """Two settings."""

    one: int = 1
    """The first one, in
    two lines."""
    two: int = 2
    """The second one."""
    three: int = 3


class Child(Parent):
    two: int = 4
    """Another second one."""
    inner: Parent = Parent()
    """Settings within."""


SAID = {"one": "The first one, in\ntwo lines.", "two": "The second one."}


def test_docstrings_below_fields_are_kept_apart_by_class_and_inherited():
    assert docstrings(Parent) == SAID
    assert docstrings(Child) == SAID | {"two": "Another second one.", "inner": "Settings within."}

    class Local(Parent):
        three: int = 5
        """In a function."""

    assert docstrings(Local) == SAID | {"three": "In a function."}


def test_a_class_whose_source_is_nowhere_has_those_of_its_bases():
    assert docstrings(type("Made", (Child,), {"__module__": "nowhere"})) == docstrings(Child)


def test_they_are_the_descriptions_of_the_json_schema_of_settings_within_settings_too():
    schema = Child.model_json_schema()
    assert {name: each["description"] for name, each in schema["properties"].items() if "description" in each} == docstrings(Child)
    within = schema["$defs"]["Parent"]["properties"]
    assert {name: each["description"] for name, each in within.items() if "description" in each} == SAID
    assert "description" not in within["three"]
