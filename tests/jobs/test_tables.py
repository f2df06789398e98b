"""A result table: rows and frames give the same file, whole or as it was, with what made it."""

from __future__ import annotations

import io
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from mien.errors import InputError, UsageError
from mien.jobs.tables import (
    failures_path,
    meta_path,
    new_table,
    refuse_existing,
    refuse_foreign,
    write_failures,
    writer_of,
)

COLUMNS = {"name": "str", "count": "Int64", "share": "float64", "seen": "boolean"}
ROWS: list[dict[str, Any]] = [
    {"name": "a, \"b\"\n", "count": 3, "share": 0.1, "seen": True, "unknown": 7},
    {"name": "NA", "share": math.nan, "seen": None},
]  # fmt: skip


def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    kinds = {name: "object" if kind == "str" else kind for name, kind in COLUMNS.items()}
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(kinds)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_rows_and_frames_give_the_same_table(tmp_path: Path, suffix: str) -> None:
    for name in ("rows", "frame"):
        with new_table(tmp_path / f"{name}.{suffix}", COLUMNS, {"version": "1"}) as table:
            table.rows(ROWS) if name == "rows" else table.frame(frame(ROWS))
    files = [tmp_path / f"{name}.{suffix}" for name in ("rows", "frame")]
    if suffix == "csv":
        assert files[0].read_bytes() == files[1].read_bytes()
        assert files[0].read_text().splitlines()[-1] == "NA,,,"
        assert all(json.loads(meta_path(file).read_text()) == {"version": "1"} for file in files)
    else:
        one, two = (pd.read_parquet(file) for file in files)
        pd.testing.assert_frame_equal(one, two)
        assert [str(kind) for kind in one.dtypes[1:]] == ["Int64", "float64", "boolean"]
        assert one["count"].tolist() == [3, pd.NA]
        assert json.loads(pq.read_schema(files[0]).metadata[b"mien"]) == {"version": "1"}
        assert not meta_path(files[0]).exists()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_error_leaves_the_old_table(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"t.{suffix}"
    out.write_text("old")

    def broken() -> None:
        with new_table(out, COLUMNS, {"version": "1"}) as table:
            table.rows(ROWS)
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        broken()
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    assert out.read_text() == "old"


def test_a_printed_row_is_printed_at_once() -> None:
    stream = io.StringIO()
    writer = writer_of("csv", stream, COLUMNS)
    assert stream.getvalue() == "name,count,share,seen\n"
    writer.rows(ROWS[1:])
    assert stream.getvalue().endswith("\nNA,,,\n")
    writer.close()
    assert not stream.closed


def test_what_exists_is_kept_unless_the_user_says_otherwise(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    refuse_existing(out, overwrite=False)
    out.touch()
    with pytest.raises(UsageError, match="exists already: choose another name or add --overwrite"):
        refuse_existing(out, overwrite=False)
    refuse_existing(out, overwrite=True)
    with pytest.raises(UsageError, match="is a folder"):
        refuse_existing(tmp_path, overwrite=True)
    with pytest.raises(InputError, match="cannot write"):
        refuse_existing(tmp_path / "no" / "t.csv", overwrite=False)


def test_failures_are_listed_and_a_list_of_the_users_own_is_left(tmp_path: Path) -> None:
    out = tmp_path / "t.csv"
    write_failures(out, [["a.jpg", "ImageError", "it is empty, they say"]])
    assert failures_path(out).read_text() == 'input,error,message\na.jpg,ImageError,"it is empty, they say"\n'
    refuse_foreign(failures_path(out))
    write_failures(out, [])
    assert not failures_path(out).exists()
    failures_path(out).write_text("my own notes\n")
    with pytest.raises(UsageError, match="not a list of failures that mien wrote"):
        refuse_foreign(failures_path(out))
