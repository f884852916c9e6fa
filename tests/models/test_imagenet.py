"""Class names and indices: what is meant is found, what cannot be meant gets the nearest that can."""

from __future__ import annotations

import pytest

from audit.models import ModelError
from audit.models.imagenet import class_index, class_names


def refusal(text: str) -> str:
    with pytest.raises(ModelError) as error:
        class_index(text)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("948", 948),
        (" 0 ", 0),
        ("999", 999),
        ("Granny Smith", 948),
        ("granny smith", 948),
        ("granny_smith", 948),
        ("LEMON", 951),
        ("iPod", 605),
        ("soccer ball", 805),
        ("traffic light", 920),
        ("pool table", 736),
        ("red-breasted merganser", 98),
    ],
)
def test_a_class_is_named_or_numbered(text: str, index: int) -> None:
    assert class_index(text) == index


def test_there_are_a_thousand_in_the_order_of_the_networks_outputs() -> None:
    names = class_names()
    assert len(names) == 1000
    assert (names[0], names[282], names[999]) == ("tench", "tiger cat", "toilet tissue")


@pytest.mark.parametrize("text", ["1000", "-1", "123456789"])
def test_an_index_outside_gets_the_range(text: str) -> None:
    assert "0 to 999" in refusal(text)


def test_an_unknown_name_gets_the_nearest_as_imagenet_spells_them() -> None:
    assert "did you mean Granny Smith" in refusal("granny smit")
    assert "lemon" in refusal("lemn")
    assert "give its index" in refusal("zzzzzzzz")
    assert "''" in refusal("")


def test_a_name_that_two_classes_have_is_refused_with_both_indices() -> None:
    """A Welsh corgi and a jacket, but for the capital."""
    message = refusal("cardigan")
    assert "264" in message
    assert "474" in message
    assert class_index("264") == 264


@pytest.mark.parametrize("text", ["1.5", "948lemon", "²"])
def test_what_is_no_number_is_taken_for_a_name(text: str) -> None:
    assert "none of this name" in refusal(text)
