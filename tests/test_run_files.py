"""Files of runs: what is read, what counts as a failure, and one sentence for each thing that is wrong."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from foreign_sweeps import grid

import analysis.foreign.run_files as run_files
from analysis.foreign.run_files import read_file
from study.errors import InputError
from study.foreign_runs import ForeignRuns

FACTORS = ("layers", "opt", "lr", "seed")


@pytest.fixture
def frame() -> pd.DataFrame:
    return grid().assign(note="é", status="ok")


def read(path: Path) -> ForeignRuns:
    return read_file(path, "act", "score", FACTORS)


def test_csv_and_parquet_hold_the_same_runs(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_csv(tmp_path / "runs.csv", index=False)
    frame.to_parquet(tmp_path / "runs.parquet")
    text, typed = read(tmp_path / "runs.csv"), read(tmp_path / "runs.parquet")
    assert (text.name, text.source, typed.source) == ("runs", "runs.csv", "runs.parquet")
    assert list(text.parameters) == list(typed.parameters) == ["act", *FACTORS]
    np.testing.assert_array_equal(text.metric, frame["score"])
    np.testing.assert_array_equal(typed.metric, frame["score"])
    assert text.parameters["layers"].tolist() == [str(value) for value in typed.parameters["layers"]]
    assert set(text.status) == set(typed.status) == {"ok"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_what_spreadsheets_write_is_read(
    frame: pd.DataFrame, tmp_path: Path, encoding: str, separator: str
) -> None:
    path = tmp_path / "runs.csv"
    frame.assign(opt="é" + frame["opt"]).to_csv(path, index=False, encoding=encoding, sep=separator)
    found = read(path)
    assert set(found.parameters["opt"]) == {"éadam", "ésgd"}
    np.testing.assert_array_equal(found.metric, frame["score"])


def test_failures_are_empty_metrics_and_other_words_than_ok(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame["score"] = frame["score"].astype("object")
    frame.loc[:5, "score"] = ["", "NaN", "inf", "-inf", "None", None]
    frame.loc[6:8, "status"] = ["crashed", "Completed", " OK "]
    frame.to_csv(tmp_path / "runs.csv", index=False)
    found = read(tmp_path / "runs.csv")
    assert np.isnan(found.metric).tolist() == [True] * 6 + [False] * (len(frame) - 6)
    assert found.status[:9].tolist() == ["ok"] * 6 + ["crashed", "ok", "ok"]


def test_mlflows_own_words_in_an_exported_file_mean_what_they_mean_there(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    frame["status"] = "FINISHED"
    frame.loc[:3, "status"] = ["FAILED", "RUNNING", "KILLED", "SCHEDULED"]
    frame.loc[4, "act"] = None
    frame.to_csv(tmp_path / "runs.csv", index=False)
    found = read(tmp_path / "runs.csv")
    assert found.status.tolist() == ["failed"] + ["ok"] * (len(frame) - 5)
    assert found.remarks == ("Runs left out: 1 without a value of act, 3 unfinished or killed.",)
    assert len(found.parameters) == len(found.metric) == len(frame) - 4


def test_a_column_status_that_is_asked_for_is_a_parameter(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame["status"] = np.where(frame["layers"] > 4, "deep", "shallow")
    frame.to_csv(tmp_path / "runs.csv", index=False)
    found = read_file(tmp_path / "runs.csv", "act", "score", ("status",))
    assert set(found.status) == {"ok"}
    assert set(found.parameters["status"]) == {"deep", "shallow"}


def test_only_the_columns_that_are_asked_for_are_read(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.assign(blob="x" * 10_000).to_csv(tmp_path / "runs.csv", index=False)
    assert "blob" not in read(tmp_path / "runs.csv").parameters


HEAD = "act,layers,opt,lr,seed,score\n"
ROW = "mish,2,sgd,0.1,0,80\n"
BAD = [
    ("runs.csv", "act,layer,opt,lr,seed,score\n" + ROW, "has no column 'layers'; did you mean 'layer'?"),
    ("runs.csv", "a,b\n1,2\n", "has no column 'act'; "),
    ("runs.csv", "", "has no columns; write a header, and a row for each run."),
    ("runs.csv", HEAD, "has no row with a value of act."),
    ("runs.csv", HEAD + ROW + "mish,2,sgd,0.1,0,80,17\n", "line 3 of "),
    ("runs.csv", HEAD + ROW + "mish,2,sgd\n", "has 3 fields and its header 6; quote what holds a separator"),
    ("runs.csv", HEAD + 'mish,2,sgd,0.1,0,"' + "8" * 200_000, "is not a CSV file: "),
    ("runs.csv", HEAD + "mish,2,sgd,0.1,0,good\n", "numbers (or nothing, for a failure), and holds 'good'"),
    ("runs.csv", HEAD + 'mish,2,sgd,0.1,0,"0,8"\n', "and holds '0,8'; check --metric, or correct the file."),
    ("runs.csv", "act,layers,opt,lr,seed,score,score\n", "more than one column 'score'; rename all but one"),
    ("runs.csv", HEAD.encode() + b"mish,2,sg\xe9,0.1,0,80\n", "is not UTF-8; save it as CSV in UTF-8."),
    ("runs.parquet", "act,score\n", "is not a Parquet file that can be read: "),
    ("runs.pkl", "", "--runs takes a .csv or .parquet file, and "),
    ("runs.xlsx", "", "--runs takes a .csv or .parquet file, and "),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "words"), BAD, ids=lambda value: str(value)[:40])
def test_a_file_that_is_wrong_is_one_sentence(
    name: str, content: str | bytes, words: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError) as caught:
        read(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_metric_is_no_setting_and_a_list_is_no_value(frame: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--metric names 'lr', which is named as a setting as well"):
        read_file(tmp_path / "runs.csv", "act", "lr", FACTORS)
    frame.assign(opt=[["adam"]] * len(frame)).to_parquet(tmp_path / "runs.parquet")
    with pytest.raises(InputError, match=r"the column 'opt' of .* holds lists or records, not values"):
        read(tmp_path / "runs.parquet")


def test_columns_with_dots_as_mlflow_exports_them(frame: pd.DataFrame, tmp_path: Path) -> None:
    exported = frame.rename(columns={"layers": "params.layers", "score": "metrics.score"})
    exported.to_parquet(tmp_path / "runs.parquet")
    found = read_file(tmp_path / "runs.parquet", "act", "metrics.score", ("params.layers",))
    np.testing.assert_array_equal(found.metric, frame["score"])
    assert found.parameters["params.layers"].tolist() == frame["layers"].tolist()


def test_what_is_no_file_is_one_sentence(tmp_path: Path) -> None:
    for name in ("gone.csv", "gone.parquet"):
        with pytest.raises(InputError, match="No such file"):
            read(tmp_path / name)
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InputError, match="Is a directory"):
        read(tmp_path / "folder.csv")


def test_a_file_that_is_too_long_is_not_read(
    frame: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_files, "MAXIMUM_RUNS", 10)
    frame.to_csv(tmp_path / "runs.csv", index=False)
    frame.to_parquet(tmp_path / "runs.parquet")
    for name in ("runs.csv", "runs.parquet"):
        with pytest.raises(InputError, match="has more than 10 rows"):
            read(tmp_path / name)
