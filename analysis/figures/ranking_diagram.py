"""Figure: the critical difference diagram, all activations by average rank."""

from typing import TYPE_CHECKING

from analysis.figures.style import FOCUS, FONT_SIZE, INK, MUTED, WIDTH, drawing, fitted
from analysis.statistics.ranking import Ranking
from analysis.summaries import friedman_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_LINE = 0.19
"""Inches between two names, and between two bars."""


def caption(ranking: Ranking, units: str) -> str:
    """Return how to read the figure; `units` is what the independent units are called."""
    return (
        f"Average rank over {ranking.units} {units} at equal settings; the best is at the left. A bar joins "
        "neighbours that Wilcoxon's test does not separate (Holm over all pairs, 5 %); not separated is not "
        f"equal. A failure ranks last. {friedman_text(ranking.p)}"
    ).strip()


def ranking_diagram(ranking: Ranking, focus: str) -> "Figure":
    """Draw average ranks on a line, and a bar over each group that is not separated.

    Parameters
    ----------
    ranking : Ranking
        Of at least two activations.
    focus : str
        The activation to stand out.
    """
    from matplotlib.figure import Figure

    ranks = {entry.activation: entry.average_rank for entry in ranking.activations}
    count, bars = len(ranks), len(ranking.groups)
    left = (count + 1) // 2
    below = 0.15 + _LINE * (bars + left + 0.5)
    above = 0.45
    with drawing():
        figure = Figure(figsize=(WIDTH, above + below))
        axes = figure.add_axes((0.24, 0.0, 0.52, 1.0))
        axes.set_xlim(1, count)
        axes.set_ylim(-below, above)
        axes.axis("off")
        axes.plot([1, count], [0, 0], color=INK, linewidth=0.8, clip_on=False)
        for tick in range(1, count + 1):
            axes.plot([tick, tick], [0, 0.05], color=INK, linewidth=0.8, clip_on=False)
            axes.text(tick, 0.08, str(tick), ha="center", va="bottom", color=MUTED)
        axes.text((1 + count) / 2, 0.27, "average rank (1 is best)", ha="center", va="bottom")
        for place, group in enumerate(ranking.groups):
            depth = -0.1 - _LINE * 0.8 * place
            ends = [ranks[group[0]], ranks[group[-1]]]
            room = 0.012 * (count - 1)
            axes.plot(
                [ends[0] - room, ends[1] + room], [depth, depth], color=MUTED, linewidth=3.5,
                solid_capstyle="butt", clip_on=False,
            )  # fmt: skip
        room = 0.03 * (count - 1)
        for place, (name, rank) in enumerate(ranks.items()):
            best = place < left
            line = place if best else count - 1 - place
            depth = -0.15 - _LINE * (bars * 0.8 + line + 0.5)
            side = 1 - room if best else count + room
            color = FOCUS if name == focus else INK
            axes.plot([rank, rank, side], [0, depth, depth], color=color, linewidth=0.8, clip_on=False)
            text = f"{fitted(name, 16)}  {rank:.2f}" if best else f"{rank:.2f}  {fitted(name, 16)}"
            axes.text(
                side - room / 3 if best else side + room / 3, depth, text, va="center", color=color,
                ha="right" if best else "left", fontsize=FONT_SIZE,
                fontweight="bold" if name == focus else "normal",
            )  # fmt: skip
    return figure
