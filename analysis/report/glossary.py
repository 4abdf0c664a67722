"""What the words of the report mean, in one line each.

Verdicts, adjustment, thresholds and trees are explained by `analysis.notes`, beside the answer.
"""

from analysis.criteria import CriteriaTable
from analysis.summaries import quantity_text, unit_name
from analysis.tables.exports import Rows

Words = list[tuple[str, str]]
"""Terms with what they mean."""


def basics(table: CriteriaTable) -> Words:
    """Return the words that every section uses."""
    unit = "level with a replicate" if table.design == "ofat" else "configuration"
    return [
        ("Configuration", "One level of every factor."),
        ("Block", "A configuration with one seed; its activations are trained from the same random numbers."),
        ("Pair", f"{table.focus} and a rival in the same block, where both ended in a result or a failure."),
        ("Unit", f"What counts as independent, the n of every interval and test: here the {unit}."),
    ]


def explained(rows: Rows, table: CriteriaTable) -> Words:
    """Return what the headings of a table mean; a heading that says it itself is left out.

    Parameters
    ----------
    rows : list of dict of str to str
        The table, with a row at least.
    table : CriteriaTable
        What it was made from.
    """
    focus = table.focus
    meanings = {
        "Gain there": f"Mean difference on the side of the threshold where {focus} wins.",
        "Gain elsewhere": "Mean difference on the other side of the threshold.",
        "Act together?": "Whether the two factors do more than add up; no sign is no proof that they do not.",
        "First split in 20 halves": "How often each factor came first in a tree grown on half of the data.",
        "Adj. p of a second factor": "How likely a second factor would seem to tell as much if only one did.",
        "Average rank": f"Mean place among all activations, over {unit_name(table.design)}; 1 is best.",
        "Not separated from": "By Wilcoxon's test, Holm over all pairs; that is not the same as equal.",
        "Correlation": "Of the two results of a block, where neither failed.",
        "Variance saved": "How much less a difference varies than that of two trainings drawn apart.",
        "by the configuration": "The part of it that sharing the setting saves.",
        "by the seed": "The part of it that sharing the seed saves.",
        "Failed": "Diverged, or ran out of memory or time; alone in its pair it loses "
        f"{quantity_text(table.loss_cap, table.unit)}.",
        "At chance": "Trained to the end and stayed at what guessing gives.",
        f"{table.metric} where trained": "Over trainings that neither failed nor stayed at chance.",
        "Win rate": f"Share of the pairs in which {focus} is better at all, a tie counting half.",
        "Adj. p": "How likely chance alone would show as much if "
        + ("the factor did not matter." if "Matters?" in rows[0] else "there were no difference."),
        "Adj. p (tie)": "The same if there were a difference that matters: small where none is shown to be.",
    }
    headings = [heading.removesuffix(" [95 %]").removesuffix(f" in {table.unit}") for heading in rows[0]]
    return [(heading, meanings[heading]) for heading in headings if heading in meanings]
