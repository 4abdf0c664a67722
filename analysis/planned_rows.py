"""What the rows of a table will be able to show, before there is a table: from an assumption or a pilot."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import special

from analysis.frame import columns, runs_frame
from analysis.profile import best_rows
from analysis.sequence import complete_configurations
from analysis.statistics.estimates import ALPHA, MINIMUM_UNITS, rounded
from analysis.statistics.levels import Region, number_text, regions
from analysis.statistics.pairs import pairs
from analysis.statistics.power import detectable, family_alpha, planning_deviation, units_to_settle
from analysis.statistics.units import unit_means
from analysis.summaries import joined, quantity_text, unit_name
from analysis.tables.evidence import OVERALL
from study.errors import InputError
from study.ledger import Record
from study.question import Question
from study.training import Level

if TYPE_CHECKING:
    from rich.console import RenderableType

ASSUMED_DEVIATION = {"points": 2.0, "nats": 0.1, "units": 0.1}
"""Standard deviation of a paired difference between units, where no results are at hand."""
ENOUGH_UNITS = 10
"""With fewer units of a sweep that was not asked for a pilot, the deviation is assumed."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedRow:
    """What one row of the table can detect, and what it needs.

    Parameters
    ----------
    parameter, level : str or None
        The row, as in `analysis.statistics.compare.Comparison`.
    rival : str or None
        None for each of them alike, where the deviation is assumed.
    units : int
        Independent units that the design has for the row.
    detectable : float or None
        Difference that these find with 80 % power, in the metric's unit, delta at least: the table calls
        what is smaller a tie. None where they are too few for a verdict.
    needed : int
        Units that find the difference that was asked for with 80 % power.
    sweep : int or None
        About how many configurations (in `ofat`: replicates) the sweep must have for the row to have as
        many; None where the design has no unit for it.
    """

    parameter: str | None
    level: str | None
    rival: str | None
    units: int
    detectable: float | None
    needed: int
    sweep: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class PlannedRows:
    """The rows of a table before there is one.

    Parameters
    ----------
    unit : str
        Unit of the metric.
    unit_name : str
        What the independent units are called.
    detect, delta : float
        The difference that is to be found, and the smallest one that matters.
    deviations : dict of str to float
        Standard deviation of the paired difference between units, by rival.
    deviation_basis : str
        Where these come from, a sentence.
    adjustment : str
        How the number of rows is accounted for, a sentence.
    rows : tuple of PlannedRow
        In the order of the table.
    """

    unit: str
    unit_name: str
    detect: float
    delta: float
    deviations: Mapping[str, float]
    deviation_basis: str
    adjustment: str
    rows: tuple[PlannedRow, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        return asdict(self)


def planned_rows(
    question: Question,
    configurations: Sequence[Mapping[str, Level]],
    replicates: int,
    *,
    detect: float | None = None,
    record: Record | None = None,
    pilot: int | None = None,
) -> PlannedRows:
    """Return what the rows of a `paired` or `ofat` design can detect and need.

    Parameters
    ----------
    question : Question
        What is asked.
    configurations : sequence of dict of str to Level
        Levels of each configuration, in the order of the design.
    replicates : int
        Of each configuration.
    detect : float or None
        The difference to find, in the metric's unit; None for delta.
    record : Record or None
        What the sweep has recorded.
    pilot : int or None
        Take the deviations from this many first configurations. None: from all that are recorded, where
        there are ten for each rival, else from an assumption.

    Returns
    -------
    PlannedRows
        Row by row of the table, rival by rival. What a row needs is planned for a difference in that row
        alone, see `analysis.statistics.power`.

    Raises
    ------
    InputError
        If `detect` is smaller than delta or larger than the cap, or the pilot is not trained.
    """
    detect = question.delta if detect is None else detect
    if not question.delta <= detect <= question.loss_cap:
        delta, cap = (quantity_text(value, question.unit) for value in (question.delta, question.loss_cap))
        raise InputError(
            f"--detect takes from {delta} (delta: the table calls what is smaller a tie) to {cap} (loss_cap: "
            f"no pair counts for more), and {number_text(detect)} was given; change it, or these in the spec."
        )
    measured = _deviations(question, record, pilot)
    assumed = {rival: (ASSUMED_DEVIATION[question.unit], np.inf) for rival in question.rivals}
    known = {rival: one.estimate or assumed[rival] for rival, one in measured.items()}
    found, inside = regions(_frame(configurations, question), question)
    units = inside.sum(axis=1) * (replicates if question.design == "ofat" else 1)
    alpha = family_alpha(len(found), len(question.rivals))[:, 0]
    whole = replicates if question.design == "ofat" else len(configurations)
    sides = known if known else {None: assumed[question.rivals[0]]}
    by_rival = {
        rival: _rows(found, units, alpha, whole, rival, estimate, detect, question)
        for rival, estimate in sides.items()
    }
    return PlannedRows(
        unit=question.unit,
        unit_name=unit_name(question.design),
        detect=detect,
        delta=question.delta,
        deviations={rival: estimate[0] for rival, estimate in (known or assumed).items()},
        deviation_basis=_basis(question, measured),
        adjustment=(
            f"With 80 % power at the table's adjustment for its number of rows (overall p {alpha[0]:.2g}, "
            f"levels p {alpha[-1]:.2g}), as if no other row differed; where others do, fewer are enough."
        ),
        rows=tuple(row for rows in zip(*by_rival.values(), strict=True) for row in rows),
    )


def _frame(configurations: Sequence[Mapping[str, Level]], question: Question) -> pd.DataFrame:
    """Return a row per configuration with a column per factor, typed as in the runs frame."""
    schema = columns(question)
    frame = pd.DataFrame([dict(levels) for levels in configurations])
    texts = [name for name in frame.columns if schema[name].dtype == "str"]
    return frame.astype(dict.fromkeys(texts, "str"))


@dataclass(frozen=True, slots=True)
class _Measured:
    """The paired differences of one rival: how many, their mean, their standard deviation."""

    units: int
    mean: float
    deviation: float

    @property
    def estimate(self) -> tuple[float, float] | None:
        """Deviation and its degrees of freedom; None where all differences agree, and none can be told."""
        return (self.deviation, self.units - 1.0) if self.deviation > 1e-9 * abs(self.mean) else None


def _deviations(question: Question, record: Record | None, pilot: int | None) -> dict[str, _Measured]:
    """Return what is known of the differences by rival; empty where the deviation must be assumed."""
    entries = [e for e in record.entries if e.training.activation in question.activations] if record else []
    if not entries and pilot is None:
        return {}
    runs = best_rows(runs_frame(Record(question=question, fingerprints=(), entries=tuple(entries))), question)
    if pilot is not None:
        have = min(pilot, complete_configurations(runs, question))
        if have < pilot:
            raise InputError(
                f"--pilot {pilot} needs the first {pilot} configurations trained, and {have} are; train them "
                f"with `mishstudy sweep SPEC --pilot {pilot}`: the sweep then goes on from there."
            )
        runs = runs.loc[runs["index"] < pilot]
    measured: dict[str, _Measured] = {}
    for rival in question.rivals:
        differences = unit_means(pairs(runs, question, rival), question)["difference"]
        if len(differences) < (2 if pilot else ENOUGH_UNITS):
            return {}
        measured[rival] = _Measured(len(differences), float(differences.mean()), float(differences.std()))
    return measured


def _rows(
    found: Sequence[Region],
    units: np.ndarray,
    alpha: np.ndarray,
    whole: int,
    rival: str | None,
    estimate: tuple[float, float],
    detect: float,
    question: Question,
) -> list[PlannedRow]:
    """Return the rows of one rival; `whole` is the size of the sweep in what a spec says of it."""
    deviation, freedom = (np.full(len(found), value) for value in estimate)
    needed = units_to_settle(
        deviation,
        np.full(len(found), detect),
        freedom + 1,
        delta=detect,
        bound=question.loss_cap,
        alpha=alpha,
    )
    found_by = detectable(planning_deviation(deviation, freedom, alpha), units, alpha)
    found_by = np.maximum(found_by, question.delta)
    rows: list[PlannedRow] = []
    for place, region in enumerate(found):
        n = int(units[place])
        rows.append(
            PlannedRow(
                parameter=region.parameter,
                level=region.level,
                rival=rival,
                units=n,
                detectable=rounded(float(found_by[place])) if n >= MINIMUM_UNITS else None,
                needed=int(needed[place]),
                sweep=ceil(needed[place] * whole / n) if n else None,
            )
        )
    return rows


def _basis(question: Question, measured: Mapping[str, _Measured]) -> str:
    """Return where the deviations come from, each with its 95 % interval."""
    units = unit_name(question.design)
    deviation = quantity_text(ASSUMED_DEVIATION[question.unit], question.unit)
    if not measured:
        assumed = f"Assumed: paired differences spread by {deviation} (standard deviation) between {units}."
        if question.design != "paired":
            return assumed
        pilot = f"SPEC --pilot {min(15, question.planned_configurations)}"
        return f"{assumed} A pilot measures it: `mishstudy sweep {pilot}`, then `mishstudy plan {pilot}`."
    said: list[str] = []
    alike: list[str] = []
    for rival, one in measured.items():
        if one.estimate is None:
            at_cap = " (the cap)" if abs(one.mean) >= question.loss_cap * (1 - 1e-9) else ""
            alike.append(f"{number_text(one.mean, 3)}{at_cap} against {rival}")
            continue
        spread, freedom = one.estimate
        low, high = (
            spread * float(np.sqrt(freedom / special.chdtri(freedom, tail)))
            for tail in (ALPHA / 2, 1 - ALPHA / 2)
        )
        said.append(f"{spread:.2g} against {rival} (95 % {low:.2g} to {high:.2g})")
    found = f"Measured on {min(one.units for one in measured.values())} {units} of this sweep:"
    if said:
        found += (
            f" paired differences spread by {joined(said)} {question.unit}; the numbers allow for that being "
            "an estimate."
        )
    if alike:
        found += (
            f" {'E' if said else 'e'}very pair differs by the same {joined(alike)}; how much they spread is "
            f"not known there, and {deviation} (standard deviation) is assumed."
        )
    return found


def render(planned: PlannedRows) -> "RenderableType":
    """Return the rows as something that Rich prints."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    several = any(row.rival is not None for row in planned.rows) and len(planned.deviations) > 1
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("row of the table")
    if several:
        table.add_column("against", overflow="fold")
    for heading in (
        "has",
        "detects",
        f"needs for {quantity_text(planned.detect, planned.unit)}",
        "in a sweep of",
    ):
        table.add_column(heading, justify="right")
    for row in planned.rows:
        name = OVERALL if row.parameter is None else f"{row.parameter} {row.level}"
        found = "-" if row.detectable is None else f"{row.detectable:.2g}"
        cells = [name, *([row.rival or ""] if several else []), str(row.units), found, str(row.needed)]
        table.add_row(*map(Text, [*cells, str(row.sweep or "-")]))
    units = f"Numbers of {planned.unit_name}, and differences in {planned.unit}."
    if any(row.detectable == rounded(planned.delta) for row in planned.rows):
        floor = quantity_text(planned.delta, planned.unit)
        units += (
            f" A row that detects {floor}, delta, would find less as well, and the table calls that a tie."
        )
    return Group(Text(planned.deviation_basis), Text(f"{planned.adjustment} {units}"), table)
