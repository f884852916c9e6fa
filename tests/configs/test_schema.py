"""Plain values become dataclasses only where they are exactly what the schema says."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from audit import config, schema
from audit.config import AuditConfig, DesignConfig, RendererConfig
from audit.schema import ConfigError, convert, kind_of


def test_a_whole_number_may_stand_for_a_fraction_but_not_the_reverse() -> None:
    assert convert(3, float, "x") == 3.0
    assert isinstance(convert(3, float, "x"), float)
    with pytest.raises(ConfigError, match=r"x=3\.0: expected a whole number"):
        convert(3.0, int, "x")


@pytest.mark.parametrize(
    ("value", "kind", "says"),
    [
        (True, int, "x=true: expected a whole number"),
        (True, float, "x=true: expected a number"),
        (1, bool, "x=1: expected true or false"),
        ("3", int, "x=3: expected a whole number"),
        (3, str, "x=3: expected text; put it in quotes"),
        (None, int, "x=null: expected a whole number"),
        (float("nan"), float, "x=nan: expected a finite number"),
        ("front", list[str], r"x=front: expected a list, \[front\]"),
        ([1], list[str], r"x\[0\]=1: expected text; quote it \('1'\)"),
        ([None], list[str], r"x\[0\]=null: expected text"),
        ({"a": [1, "b"]}, dict[str, list[float]], r"x.a\[1\]=b: expected a number"),
        ({3: "a"}, dict[str, str], "the name 3 is no text"),
        ([], dict[str, str], "expected names with values"),
        ("???", str, "x has to be given: x=..."),
        ("fast", RendererConfig, "x=fast: this is a group of settings"),
        ({"smaples": 3}, DesignConfig, "x.smaples: there is no such setting; did you mean x.samples"),
    ],
)
def test_what_is_not_of_the_type_is_refused_by_name(value: object, kind: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        convert(value, kind, "x")


def test_null_stands_only_where_the_schema_allows_it() -> None:
    assert convert(None, str | None, "x") is None
    assert convert({"seeds": 3, "pictures": None}, DesignConfig, "design") == DesignConfig(seeds=3, pictures=None)


def test_the_type_of_a_dotted_key_is_found_through_sections_names_and_lists() -> None:
    assert kind_of("designs.tabletop.factors.light") == list[str]
    assert kind_of("designs.anything.seeds") is int
    assert kind_of("models.anything.preprocessing.epsilon") is float
    assert kind_of("models.m.arguments.deep.down") is Any
    for key in (
        "designs.studio.sedes",
        "seed.x",
        "",
        "designs.studio.factors.",
        "models..checkpoint",
        "designs..seeds",
    ):
        with pytest.raises(KeyError):
            kind_of(key)


def test_every_setting_with_a_comment_in_the_source_has_it_in_the_help() -> None:
    """The comments are read out of the source; a formatter that moves one must not lose it."""
    comments = dict(schema.fields())
    assert comments["design.seeds"].startswith("scene seeds (blocks), at least 8 for any verdict")
    assert comments["design.keep"].startswith("factor -> levels")
    assert comments["model.checkpoint"].startswith(".safetensors or a state_dict")
    assert comments["paths.store"]
    assert len(comments) > 60


def test_dataclasses_of_the_schema_hold_nothing_the_converter_cannot_read() -> None:
    """Every field converts its own default."""
    assert isinstance(convert({}, AuditConfig, ""), AuditConfig)
    for key, _ in schema.fields():
        group, _, rest = key.partition(".")
        assert kind_of(f"{group}s.a.{rest}" if group in ("model", "design") else key) is not None


def test_no_comment_of_the_schema_stands_on_a_line_of_its_own() -> None:
    """The help shows what stands on a field's own lines; the rest of a sentence below it would be lost."""
    lines = inspect.getsource(config).partition("@dataclass")[2].splitlines()
    assert [line for line in lines if line.startswith("    #")] == []
