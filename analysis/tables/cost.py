"""The table of costs in words: one row per activation, one per rival, what must be known to read them."""

import dataclasses
import json
from collections.abc import Callable, Mapping

from analysis.cost import Cost, Estimate
from analysis.statistics.estimates import MINIMUM_UNITS
from analysis.summaries import amount_text, quantity_text, unit_name
from analysis.tables.csv_text import csv_text, flat
from analysis.tables.evidence import Rows
from analysis.tables.markdown import markdown_escape, markdown_table

SCHEMA = "mishstudy-cost/1"
"""Name and version of the JSON form; `analysis/cost.schema.json` describes it."""

_ALONE = "mishstudy sweep SPEC --engine fit, under another name, times every training by itself."
_SHARED = (
    "The trainings of this sweep shared their programs, and the time of one of them cannot be told from that "
    "of its neighbours."
)
_SOURCES = {
    "all": "Every training was timed by itself.",
    "repeated": f"{_SHARED} What is timed are the blocks that the reference engine repeated, training by "
    f"training; {_ALONE}",
    "packed": f"Nothing can be said. {_SHARED} {_ALONE}",
    "mixed": "Nothing can be said: the results come from several environments, whose times do not compare.",
}


def activation_rows(cost: Cost) -> Rows:
    """Return what each activation cost, focus first; no row where nothing was timed."""
    reached = f"Reached {_target(cost)}"
    return [
        {
            "Activation": one.activation,
            "Trainings": str(one.timed),
            "Seconds per epoch (median)": _seconds(one.epoch_seconds),
            "Middle half": f"{_seconds(one.epoch_seconds_low)} to {_seconds(one.epoch_seconds_high)}",
            "Seconds per training": _seconds(one.training_seconds),
            **({"Peak memory": f"{one.peak_memory_mib:,.0f} MiB"} if one.peak_memory_mib is not None else {}),
            reached: f"{one.reached} of {one.ended}",
            "Seconds to it (median)": _seconds(one.target_seconds),
        }
        for one in cost.activations
    ]


def rival_rows(cost: Cost) -> Rows:
    """Return the focus beside each rival, within blocks; no row where there are no pairs."""
    return [
        {
            "Rival": one.rival,
            "Time of an epoch, ratio [95 %]": _ratio(one.epoch_ratio),
            f"Time to {_target(cost)}, ratio [95 %]": _ratio(one.target_ratio),
            f"{cost.metric} at equal epochs [95 %]": _difference(one.equal_epochs, cost),
            "at equal time [95 %]": _difference(one.equal_time, cost),
            "Pairs": str(one.equal_epochs.pairs),
            unit_name(cost.design).capitalize(): str(one.equal_epochs.units),  # pyright: ignore[reportArgumentType]
        }
        for one in cost.rivals
    ]


def sentences(cost: Cost) -> list[str]:
    """Return for each rival what the focus costs and what is left of its gain when time is equal."""
    found: list[str] = []
    for one in cost.rivals:
        longer = one.epoch_ratio
        if longer.value is None:
            continue
        ends = "" if longer.low is None else f" [{longer.low:.2f}, {longer.high:.2f}]"
        found.append(
            f"{cost.focus} against {one.rival}: {_better(one.equal_epochs)} per epoch, "
            f"{_better(one.equal_time)} per second; an epoch takes {longer.value:.2f} times as long{ends}."
        )
    return found


def notes(cost: Cost) -> list[str]:
    """Return what must be known to read the table."""
    said = [_SOURCES[cost.source]]
    if not cost.activations:
        return (
            said
            if cost.source in ("packed", "mixed")
            else ["No timed training with a learning curve has ended yet."]
        )
    said.append(
        "Seconds hold training and validation, not the building of a program. They depend on the machine and "
        "its load, and are no part of what a sweep reproduces."
    )
    if cost.activations[0].peak_memory_mib is None:
        said.append(
            "On a CPU memory belongs to the process, which trains many: there is none per activation."
        )
    said.append(
        f"The target, {_target(cost)} of {cost.metric}, is the worst median over the activations at the last "
        "epoch; a training that failed has not reached it."
    )
    if cost.rivals:
        said.append(
            f"Ratios are {cost.focus} over the rival within pairs in which both trained to the end (and "
            "reached the target), geometric means; above 1 the focus is slower. Differences are within "
            "pairs, positive where the focus is better, with failures counted, at most "
            f"{quantity_text(cost.loss_cap, cost.unit)} a pair; equal time is when the faster of the two has "
            "finished. Intervals are Student's t over units and not adjusted: these are no verdicts. With "
            f"fewer than {MINIMUM_UNITS} units there is no interval, and nothing is told apart."
        )
    else:
        said.append("Without pairs, settings differ between the activations, and with them the times.")
    return said


def to_markdown(cost: Cost) -> str:
    """Return the table of costs as GitHub-flavoured Markdown."""
    parts = [f"# What does {markdown_escape(cost.focus)} cost?"]
    if found := sentences(cost):
        parts.append("\n".join(f"- {markdown_escape(sentence)}" for sentence in found))
    parts += [markdown_table(rows) for rows in (activation_rows(cost), rival_rows(cost)) if rows]
    parts += ["## Notes", "\n".join(f"- {markdown_escape(note)}" for note in notes(cost))]
    return "\n\n".join(parts) + "\n"


def to_csv(cost: Cost) -> str:
    """Return one row per activation as CSV; what compares it with the focus stands beside it."""
    beside = {
        one.rival: flat({name: value for name, value in dataclasses.asdict(one).items() if name != "rival"})
        for one in cost.rivals
    }
    return csv_text(
        [{**dataclasses.asdict(one), **beside.get(one.activation, {})} for one in cost.activations]
    )


def to_json(cost: Cost) -> str:
    """Return the whole table of costs as JSON: the fields of `analysis.cost.Cost`, in seconds and MiB."""
    values = {"schema": SCHEMA, **dataclasses.asdict(cost)}
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


FORMATS: Mapping[str, Callable[[Cost], str]] = {"md": to_markdown, "csv": to_csv, "json": to_json}


def _target(cost: Cost) -> str:
    return "" if cost.target is None else f"{amount_text(cost.target, cost.delta)} {cost.unit}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g} s"


def _ratio(one: Estimate) -> str:
    if one.value is None:
        return "-"
    return f"{one.value:.2f}" + ("" if one.low is None else f" [{one.low:.2f}, {one.high:.2f}]")


def _difference(one: Estimate, cost: Cost) -> str:
    if one.value is None:
        return "-"
    known = [end for end in (one.value, one.low, one.high) if end is not None]
    middle, *ends = (amount_text(end, cost.delta, signed=True) for end in known)
    return middle + (f" [{', '.join(ends)}]" if ends else "")


def _better(one: Estimate) -> str:
    """Return on which side of 0 the whole interval lies."""
    if one.low is None or one.high is None or one.low <= 0 <= one.high:
        return "not told apart"
    return "better" if one.low > 0 else "worse"
