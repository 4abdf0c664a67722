"""What rows of a table will be able to show: sizes, statsmodels' power, pilots, and how it is printed."""

import dataclasses
import io
from collections import Counter
from statistics import stdev
from typing import Any

import pytest
from made_entries import entries_of, question_of, result_of
from rich.console import Console
from scipy import stats
from simulated_record import FINGERPRINT
from small_specs import OFAT, edited
from statsmodels.stats.power import TTestPower

from analysis.planned_rows import ASSUMED_DEVIATION, PlannedRows, planned_rows, render
from study.errors import InputError
from study.ledger import Entry, Record
from study.training import Status, TrainingResult
from sweeps import design
from sweeps.design import PlannedTraining
from sweeps.spec import SweepSpec, parse


def rows_of(spec: SweepSpec, **options: Any) -> PlannedRows:
    drawn = [configuration.levels for configuration in design.configurations(spec)]
    return planned_rows(question_of(spec), drawn, spec.replicates, **options)


def recorded(spec: SweepSpec, entries: list[Entry]) -> Record:
    return Record(question=question_of(spec), fingerprints=(FINGERPRINT,), entries=tuple(entries))


def spec_of(changes: dict[str, Any] | None = None) -> SweepSpec:
    return parse(edited(changes or {}), "s.toml")


def test_rows_are_those_of_the_table_with_their_units() -> None:
    spec = spec_of({"factors.learning_rate.role": "condition"})
    planned = rows_of(spec)
    drawn = design.configurations(spec)
    headline, *rows = planned.rows
    assert (headline.parameter, headline.rival, headline.units) == (None, None, 40)
    assert headline.needed == headline.sweep
    for name in ("depth", "optimizer"):
        levels = Counter(str(configuration.levels[name]) for configuration in drawn)
        assert {row.level: row.units for row in rows if row.parameter == name} == levels
    bins = [row.units for row in rows if row.parameter == "learning_rate"]
    assert len(bins) == 4
    assert sum(bins) == 40
    for row in rows:
        assert row.sweep is not None
        assert row.sweep - 1 < row.needed * 40 / row.units <= row.sweep


@pytest.mark.parametrize("detect", [None, 2.5])
def test_what_is_detected_and_needed_has_a_power_of_80_percent(detect: float | None) -> None:
    planned = rows_of(spec_of({"delta": 0.5}), detect=detect)
    assert planned.detect == (detect or 0.5)
    deviation = ASSUMED_DEVIATION["points"]
    for place, row in enumerate(planned.rows):
        # Two rivals overall; two levels each of depth and optimizer, against either.
        alpha = 0.05 / (2 if place == 0 else 8)
        assert row.detectable is not None
        for effect, units in ((row.detectable, row.units), (planned.detect, row.needed)):
            power = TTestPower().power(effect / deviation, units, alpha / 2, alternative="larger")
            assert power == pytest.approx(0.8, abs=0.02)


@pytest.mark.parametrize("activations", [["relu"], [f"beta_mish({n})" for n in range(2, 30)]])
@pytest.mark.parametrize("configurations", [24, 63, 240])
def test_what_is_detected_is_right_at_every_level_of_the_tests(
    activations: list[str], configurations: int
) -> None:
    changes = {"activations": activations, "configurations": configurations, "delta": 0.1}
    planned = rows_of(spec_of(changes))
    families = len(activations), 4 * len(activations)
    for place, row in enumerate(planned.rows):
        alpha = 0.05 / families[place > 0]
        critical = stats.t.ppf(1 - alpha / 2, row.units - 1)
        assert row.detectable is not None
        shift = row.detectable / ASSUMED_DEVIATION["points"] * row.units**0.5
        assert stats.nct.sf(critical, row.units - 1, shift) == pytest.approx(0.8, abs=1e-3)


def test_no_row_detects_less_than_delta_and_the_page_says_why() -> None:
    planned = rows_of(spec_of({"configurations": 240}))
    assert {row.detectable for row in planned.rows[:1]} == {planned.delta} == {1.0}
    assert "A row that detects 1 point, delta, would find less as well" in printed(planned)
    assert "would find less" not in printed(rows_of(spec_of({"configurations": 40})))


def test_too_few_units_for_a_verdict_detect_nothing() -> None:
    planned = rows_of(spec_of({"configurations": 5}))
    assert {row.detectable for row in planned.rows} == {None}
    assert all(row.needed > 5 for row in planned.rows)


def test_ofat_rows_rest_on_what_moves_and_are_planned_in_replicates() -> None:
    planned = rows_of(spec_of(OFAT))
    assert {(row.parameter, row.level): row.units for row in planned.rows} == {
        (None, None): 30,
        ("depth", "3"): 10,
        ("depth", "8"): 10,
        ("optimizer", "sgd"): 10,
        ("optimizer", "adam"): 10,
    }
    assert all(row.sweep == row.needed for row in planned.rows[1:])
    assert planned.unit_name == "replicates"
    assert "pilot" not in planned.deviation_basis


def gains(item: PlannedTraining) -> TrainingResult:
    """Return a result by which mish gains 0 to 4 points, and twice that over the second rival."""
    gain = float(item.configuration.index % 5)
    return result_of(item, 90.0 + {"mish": gain, "relu": 0.0}.get(item.training.activation, -gain))


def test_a_pilot_measures_the_spread_of_each_rival_on_the_first_configurations() -> None:
    spec = spec_of({"replicated_share": 0})
    entries = entries_of(spec, gains)
    planned = rows_of(spec, record=recorded(spec, entries), pilot=12)
    spread = stdev([float(index % 5) for index in range(12)])
    assert planned.deviations == pytest.approx({"relu": spread, "beta_mish(1.5)": 2 * spread})
    assert [row.rival for row in planned.rows[:2]] == ["relu", "beta_mish(1.5)"]
    relu, beta = (row.needed for row in planned.rows[:2])
    assert beta > 3 * relu
    low, high = (spread * (11 / stats.chi2.ppf(chance, 11)) ** 0.5 for chance in (0.975, 0.025))
    assert f"{spread:.2g} against relu (95 % {low:.2g} to {high:.2g})" in planned.deviation_basis
    naive = TTestPower().solve_power(1.0 / spread, power=0.8, alpha=0.025)
    assert naive * 1.05 < relu < naive * 1.3
    # Later configurations have no say, and the first must be whole.
    later = [entry for entry in entries if entry.configuration.index < 12]
    assert rows_of(spec, record=recorded(spec, later), pilot=12) == planned
    with pytest.raises(InputError, match="needs the first 12 configurations trained, and 11 are; train them"):
        rows_of(spec, record=recorded(spec, later[:-1]), pilot=12)
    with pytest.raises(InputError, match="and 0 are"):
        rows_of(spec, record=recorded(spec, later[1:]), pilot=12)


def test_a_pilot_whose_pairs_all_agree_says_nothing_of_the_spread() -> None:
    spec = spec_of({"replicated_share": 0})

    def result(item: PlannedTraining) -> TrainingResult:
        fails = item.training.activation == "relu"
        return result_of(item, 90.0, Status.DIVERGED) if fails else gains(item)

    planned = rows_of(spec, record=recorded(spec, entries_of(spec, result)), pilot=12)
    assert planned.deviations["relu"] == ASSUMED_DEVIATION["points"]
    assert planned.deviations["beta_mish(1.5)"] < 4
    assert "Every pair differs by the same 10 (the cap) against relu" in planned.deviation_basis
    assert "2 points (standard deviation) is assumed" in planned.deviation_basis
    assert all(row.detectable is None or row.detectable >= planned.delta for row in planned.rows)
    every = entries_of(spec, lambda item: result_of(item, 90.0))
    alike = rows_of(spec, record=recorded(spec, every), pilot=12)
    assert (
        "this sweep: every pair differs by the same 0 against relu and 0 against beta"
        in alike.deviation_basis
    )


def test_without_a_pilot_ten_results_are_enough_and_fewer_are_not() -> None:
    spec = spec_of({"replicated_share": 0})
    entries = entries_of(spec, gains)
    for number, words in ((30, "Measured on 10 configurations of this sweep"), (29, "Assumed: paired")):
        assert rows_of(spec, record=recorded(spec, entries[:number])).deviation_basis.startswith(words)
    assert rows_of(spec).deviation_basis.startswith("Assumed: paired differences spread by 2 points")
    # A rival that joined later has no results yet.
    without = [entry for entry in entries if entry.training.activation != "relu"]
    assert rows_of(spec, record=recorded(spec, without)).deviation_basis.startswith("Assumed")


def test_failures_and_replicates_count_as_in_the_table() -> None:
    spec = spec_of({"configurations": 6, "replicates": 2, "replicated_share": 0, "activations": ["relu"]})

    def result(item: PlannedTraining) -> TrainingResult:
        fails = item.training.activation == "mish" and item.configuration.index == 0
        return result_of(item, 90.0, Status.DIVERGED if fails and item.training.replicate == 0 else Status.OK)

    planned = rows_of(spec, record=recorded(spec, entries_of(spec, result)), pilot=6)
    # The cap is 10 points: one configuration has the mean of -10 and 0, the others have 0.
    assert planned.deviations["relu"] == pytest.approx(stdev([-5.0, 0, 0, 0, 0, 0]))


@pytest.mark.parametrize("detect", [0.5, 11.0])
def test_a_difference_that_the_table_cannot_show_is_refused(detect: float) -> None:
    with pytest.raises(
        InputError, match=rf"from 1 point \(delta.*to 10 points \(loss_cap.*and {detect:g} was"
    ):
        rows_of(spec_of(), detect=detect)


def printed(planned: PlannedRows, width: int = 200) -> str:
    file = io.StringIO()
    Console(file=file, width=width).print(render(planned))
    return " ".join(file.getvalue().split())


def test_the_rows_fit_a_terminal() -> None:
    spec = spec_of({"replicated_share": 0})
    for options in ({}, {"record": recorded(spec, entries_of(spec, gains)), "pilot": 12, "detect": 2.0}):
        planned = rows_of(spec, **options)
        assert dataclasses.asdict(planned) == planned.to_json()
        for width in (80, 120):
            file = io.StringIO()
            Console(file=file, width=width).print(render(planned))
            text = file.getvalue()
            assert max(map(len, text.splitlines())) <= width
            words = " ".join(text.split())
            assert "(overall)" in words
            assert ("against" in words.split("differences in points.")[1]) == bool(options)
            for part in (
                "depth 3",
                "optimizer adam",
                "in a sweep of",
                "With 80 % power",
                "differences in points",
            ):
                assert part in words
