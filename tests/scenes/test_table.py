"""Declared tables: what is not declared is refused, and equal content gives equal bytes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from scenes.table import Table, TableError

TABLE = Table("things", 2, {"key": "str", "value": "float", "list": "float32s"}, key=("key",), has_factors=True)
ROWS = pd.DataFrame(
    {"key": ["b", "a"], "light": ["back", "front"], "value": [2.0, float("nan")], "list": [[1.0], [2.0]]}
)


def test_a_table_is_read_back_with_its_factors(tmp_path: Path) -> None:
    TABLE.write(ROWS, tmp_path, factors=("light",), csv=True)
    found = TABLE.read(tmp_path)
    assert found.attrs["factors"] == ["light"]
    assert found["key"].tolist() == ["a", "b"]
    assert found["light"].tolist() == ["front", "back"]
    assert "schema_version" in (tmp_path / "things.csv").read_text().splitlines()[0]


def test_the_order_of_rows_does_not_change_a_byte(tmp_path: Path) -> None:
    first = TABLE.write(ROWS, tmp_path, factors=("light",)).read_bytes()
    assert TABLE.write(ROWS.iloc[::-1], tmp_path, factors=("light",)).read_bytes() == first


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (ROWS.drop(columns="value"), "missing columns"),
        (ROWS.assign(extra=1), "undeclared columns"),
        (pd.concat([ROWS, ROWS]), "more than one row"),
    ],
)
def test_a_frame_that_is_not_what_is_declared_is_refused(tmp_path: Path, frame: pd.DataFrame, words: str) -> None:
    with pytest.raises(TableError, match=words):
        TABLE.write(frame, tmp_path, factors=("light",))
    assert list(tmp_path.iterdir()) == []


def test_another_schema_version_is_refused(tmp_path: Path) -> None:
    TABLE.write(ROWS, tmp_path, factors=("light",))
    newer = Table("things", 3, TABLE.columns, TABLE.key, has_factors=True)
    with pytest.raises(TableError, match="schema things v2, expected things v3"):
        newer.read(tmp_path)
