"""Declared tables: the only form in which stages hand rows to each other.

A table says its columns, their kind and its schema version; the writer refuses a frame that differs, the reader refuses
a file that does. Parquet for machines, CSV for people: `write` makes both when asked to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

_ARROW: Mapping[str, pa.DataType] = {
    "str": pa.string(),
    "int": pa.int64(),
    "float": pa.float64(),
    "bool": pa.bool_(),
    "float32s": pa.list_(pa.float32()),
    "int8s": pa.list_(pa.int8()),
    "bools": pa.list_(pa.bool_()),
}


class TableError(ValueError):
    """A frame or file that is not what its table declares."""


@dataclass(frozen=True)
class Table:
    """A declared table.

    name: file name without suffix. version: schema version, raised whenever a column changes its meaning.
    columns: column -> kind (one of str, int, float, bool, float32s, int8s, bools; the plural kinds are lists).
    key: columns whose values name a row uniquely. has_factors: one more str column per factor of the design stands
    before the declared ones; their names travel in the file's metadata.
    """

    name: str
    version: int
    columns: Mapping[str, str]
    key: tuple[str, ...]
    has_factors: bool = False

    def write(self, frame: pd.DataFrame, folder: Path, factors: Sequence[str] = (), csv: bool = False) -> Path:
        """Write `frame` as `<name>.parquet` in `folder`, atomically, and `<name>.csv` beside it when `csv`.

        Rows are sorted by key, so equal content gives equal bytes. Raises TableError on missing, unknown or
        repeated columns and on a repeated key.
        """
        ordered = self._ordered(frame, factors)
        schema = pa.schema([(c, _ARROW[k]) for c, k in self._kinds(factors).items()])
        arrow = pa.Table.from_pandas(ordered, schema=schema, preserve_index=False)
        meta = {"table": self.name, "schema_version": str(self.version), "factors": json.dumps(list(factors))}
        arrow = arrow.replace_schema_metadata(meta)
        path = folder / f"{self.name}.parquet"
        partial = path.with_suffix(".parquet.partial")
        pq.write_table(arrow, partial, compression="zstd")
        os.replace(partial, path)
        if csv:
            self._write_csv(ordered, folder)
        return path

    def read(self, folder: Path) -> pd.DataFrame:
        """Read `<name>.parquet`; `frame.attrs["factors"]` holds the factor columns. Raises TableError."""
        path = folder / f"{self.name}.parquet"
        if not path.is_file():
            raise TableError(f"{path} is not there: the stage that writes it has not run")
        arrow = pq.read_table(path)
        meta = {k.decode(): v.decode() for k, v in (arrow.schema.metadata or {}).items()}
        found = meta.get("schema_version")
        if meta.get("table") != self.name or found != str(self.version):
            raise TableError(f"{path} has schema {meta.get('table')} v{found}, expected {self.name} v{self.version}")
        frame: pd.DataFrame = arrow.to_pandas()
        frame.attrs["factors"] = json.loads(meta.get("factors", "[]"))
        return frame

    def empty(self, factors: Sequence[str] = ()) -> pd.DataFrame:
        """A frame with the declared columns and no rows."""
        schema = pa.schema([(c, _ARROW[k]) for c, k in self._kinds(factors).items()])
        frame: pd.DataFrame = schema.empty_table().to_pandas()
        return frame

    def _kinds(self, factors: Sequence[str]) -> dict[str, str]:
        lead = dict.fromkeys(factors, "str") if self.has_factors else {}
        keys = {c: k for c, k in self.columns.items() if c in self.key}
        rest = {c: k for c, k in self.columns.items() if c not in self.key}
        return {**keys, **lead, **rest}

    def _ordered(self, frame: pd.DataFrame, factors: Sequence[str]) -> pd.DataFrame:
        kinds = self._kinds(factors)
        missing = [c for c in kinds if c not in frame.columns]
        unknown = [c for c in frame.columns if c not in kinds]
        if missing or unknown:
            raise TableError(f"table {self.name}: missing columns {missing}, undeclared columns {unknown}")
        key = [*self.key, *(factors if self.has_factors else ())]
        if frame.duplicated(subset=key).any():
            row = frame.loc[frame.duplicated(subset=key, keep=False), key].iloc[0].to_dict()
            raise TableError(f"table {self.name}: more than one row for {row}")
        return frame.loc[:, list(kinds)].sort_values(key, kind="stable").reset_index(drop=True)

    def _write_csv(self, ordered: pd.DataFrame, folder: Path) -> None:
        path = folder / f"{self.name}.csv"
        partial = path.with_suffix(".csv.partial")
        ordered.assign(schema_version=self.version).to_csv(
            partial, index=False, float_format="%.9g", lineterminator="\n"
        )
        os.replace(partial, path)
