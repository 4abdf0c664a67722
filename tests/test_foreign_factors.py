"""Parameters that arrive as text: which are factors, which are numbers, and what is asked back."""

import numpy as np
import pandas as pd
import pytest
from foreign_sweeps import as_read, grid

from analysis.foreign.factors import MAXIMUM_LISTED, Chosen, chosen_factors, typed
from study.errors import InputError
from study.question import Factor

TYPED = [
    (["2", "16", "4"], "int64", [2, 16, 4]),
    (["1e-3", "0.001", ".5"], "float64", [0.001, 0.001, 0.5]),
    (["16", "16.0"], "float64", [16.0, 16.0]),
    (["-1", "+2"], "int64", [-1, 2]),
    (["True", "false"], "bool", [True, False]),
    (["1", "inf"], "str", ["1", "inf"]),
    (["1", "nan"], "str", ["1", "missing"]),
    (["1", "1_000"], "str", ["1", "1_000"]),
    (["1", "None", "NA"], "str", ["1", "missing", "missing"]),
    (["true", "null"], "str", ["true", "missing"]),
    (["l2", "none"], "str", ["l2", "none"]),
    (["none", "none"], "str", ["none", "none"]),
    (["3", None, ""], "str", ["3", "missing", "missing"]),
    ([None, None], "str", ["missing", "missing"]),
    (["99999999999999999999", "1"], "float64", [1e20, 1.0]),
    (["9" * 400, "1"], "str", ["9" * 400, "1"]),
    ([" adam ", "adam"], "str", ["adam", "adam"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "dtype", "wanted"), TYPED, ids=lambda value: str(value)[:30])
def test_a_parameter_is_a_number_where_all_its_values_are(
    text: list[str | None], dtype: str, wanted: list[object]
) -> None:
    found = typed(pd.Series(text, dtype="object"))
    assert str(found.dtype) == dtype
    assert found.tolist() == wanted


def test_what_a_typed_file_holds_is_what_text_says() -> None:
    for values in (
        pd.Series([1, 2], dtype="int8"),
        pd.Series([0.5, 2.0]),
        pd.Series([True, False]),
        pd.Series(["a", "b"], dtype="category"),
        pd.Series([1, None], dtype="Int64"),
        pd.Series([0.5, np.nan]),
    ):
        text = pd.Series([None if value is pd.NA or value != value else str(value) for value in values])
        assert typed(values).tolist() == typed(text).tolist()


def chosen(
    frame: pd.DataFrame, names: tuple[str, ...] | None = None, replicate: str | None = "seed"
) -> Chosen:
    runs = as_read(frame)
    return chosen_factors(runs, names, runs.parameters["act"], replicate)


def test_without_a_list_every_parameter_that_varies_is_a_factor() -> None:
    frame = grid().assign(epochs="10")
    found = chosen(frame)
    assert found.factors == (
        Factor(name="layers", role="condition", levels=(2, 4, 8, 16)),
        Factor(name="lr", role="condition", levels=(0.01, 0.1)),
        Factor(name="opt", role="condition", levels=("adam", "sgd")),
    )
    assert found.remarks == ("Factors: every parameter that varies between the runs.",)


def test_what_follows_from_the_treatment_and_what_each_run_has_for_itself_is_no_factor() -> None:
    frame = grid()
    frame = frame.assign(
        model="net_" + frame["act"],
        folder=[f"out/{row}" for row in range(len(frame))],
        data_seed=frame["seed"],
    )
    found = chosen(frame)
    assert [factor.name for factor in found.factors] == ["layers", "lr", "opt"]
    assert found.remarks == (
        "Factors: every parameter that varies between the runs, but for data_seed (follows from seed), "
        "folder (each run has its own) and model (follows from act).",
    )


def test_the_order_of_a_list_is_kept_and_a_long_list_of_numbers_is_a_range() -> None:
    frame = grid(seeds=4)
    rates = np.repeat(10 ** np.linspace(-4, -1, len(frame) // 2), 2)
    found = chosen(frame.assign(rate=rates), ("rate", "layers"))
    assert len(set(rates)) > MAXIMUM_LISTED
    assert [factor.name for factor in found.factors] == ["rate", "layers"]
    assert found.factors[0] == Factor(name="rate", role="condition", low=rates[0], high=rates[-1], log=True)
    assert found.levels["rate"].tolist() == rates.tolist()


def test_many_names_are_matched_and_have_rows_only_on_demand() -> None:
    frame = grid()
    frame["block"] = [f"b{place // 2}" for place in range(len(frame))]
    assert [(f.name, f.role) for f in chosen(frame).factors if f.role == "nuisance"] == [
        ("block", "nuisance")
    ]
    assert chosen(frame, ("block",)).factors[0].role == "condition"


def test_a_run_without_a_value_has_a_level_of_its_own() -> None:
    frame = grid().assign(momentum=lambda runs: ["0.9" if opt == "sgd" else None for opt in runs["opt"]])
    frame.loc[frame["opt"] == "adam", "score"] = [np.nan] * 3 + [80.0] * 29
    found = chosen(frame, ("momentum",))
    assert found.factors[0].levels == ("0.9", "missing")
    assert found.remarks == (
        "Not given: momentum (32 runs, 3 of them failed); 'missing' is a level of its own.",
    )
    assert "momentum" not in {factor.name for factor in chosen(frame).factors}


def test_numbers_among_which_is_a_word_keep_their_order_and_say_so() -> None:
    frame = grid().astype({"layers": "str"})
    frame.loc[[0], "layers"] = "deep"
    frame.loc[[1], "layers"] = "None"
    found = chosen(frame, ("layers",))
    assert found.factors[0].levels == ("2", "4", "8", "16", "deep", "missing")
    assert found.remarks == (
        "Not given: layers (1 run, 0 of them failed); 'missing' is a level of its own.",
        "layers is taken as names, so no threshold is sought along it: 'deep' (1 run) is not a number.",
    )


WRONG = [
    (("layres",), "seed", "no run has the parameter 'layres' of --factors; did you mean 'layers'?"),
    (("zzz",), "seed", "choose one of 'act', 'epochs', 'layers', 'lr', 'opt', 'seed'."),
    (("epochs",), "seed", "a factor needs at least two levels, and 'epochs' is 10 in every run"),
    (("act",), "seed", "'act' is the treatment and cannot be a factor as well"),
    (("seed",), "seed", "'seed' is the replicate and cannot be a factor as well"),
    (("lr", "seed"), None, "'seed' of --factors looks like what tells replicates apart"),
    (("lr", "lr"), "seed", "--factors names 'lr' twice"),
    (None, None, "'seed' varies and looks like what tells replicates apart; add --replicate seed"),
]  # fmt: skip


@pytest.mark.parametrize(("names", "replicate", "words"), WRONG)
def test_a_wrong_list_is_one_sentence(
    names: tuple[str, ...] | None, replicate: str | None, words: str
) -> None:
    with pytest.raises(InputError, match=words.replace("(", r"\(").replace("?", r"\?")):
        chosen(grid().assign(epochs="10"), names, replicate)
