"""A plan in a terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from study.tuning import Tuning
from sweeps.plan import Plan
from sweeps.progress import duration


def render(plan: Plan) -> RenderableType:
    """Return the plan as something that Rich prints."""
    smallest, middle, largest = plan.cost.members_per_program
    programs = f"{plan.cost.programs}, with {smallest} to {largest} trainings each (median {middle})"
    check = (
        f", {duration(plan.cost.check_seconds)} of it to repeat {plan.cost.checks} trainings "
        "with the reference engine"
        if plan.cost.checks
        else ""
    )
    trained = f"{plan.trainings}, of which {plan.recorded} are recorded"
    if plan.levels > 1:
        trained += f" (each activation of a block at each of {plan.levels} learning rates)"
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column()
    facts.add_column(overflow="fold")
    for name, value in (
        ("sweep", f"{plan.name} (design {plan.design})"),
        *_size(plan),
        ("trainings", trained),
        ("engine", plan.engine),
        ("compiled programs", programs if plan.cost.programs else "none left to compile"),
        ("time", f"about {duration(plan.cost.seconds)}{check}"),
        ("on one GPU", f"{_gpu_time(plan.cost.gpu_seconds)}, a guess"),
        ("training processes", f"{plan.cost.workers}, about {plan.cost.memory_mib:,.0f} MiB of memory each"),
    ):
        facts.add_row(Text(name), Text(value))
    return Group(facts, Text(plan.cost.basis), Text(plan.cost.gpu_basis))


def _gpu_time(seconds: float) -> str:
    return "less than a minute" if seconds < 60 else f"about {duration(seconds)}"


def _size(plan: Plan) -> list[tuple[str, str]]:
    activations = ("activations", str(plan.activations))
    if plan.tuning is None:
        blocks = f"{plan.blocks} (a configuration with one seed)"
        return [("configurations", str(plan.configurations)), activations, ("blocks", blocks)]
    searches = "one search" if plan.tuning.repeats == 1 else f"{plan.tuning.repeats} searches"
    trials = (
        f"{plan.tuning.trials} trials of the sampler {plan.tuning.sampler} for each activation, {searches}"
    )
    winners = f"each is trained {plan.tuning.confirm} times on fresh seeds"
    rungs = [("rungs", _rungs(plan.tuning))] if plan.tuning.halving is not None else []
    return [activations, ("trials", trials), *rungs, ("winners", winners)]


def _rungs(tuning: Tuning) -> str:
    steps = ", then ".join(f"{t} x {e}" for t, e in zip(tuning.rung_trials, tuning.rung_epochs, strict=True))
    full = tuning.trials * (tuning.epochs or 0)
    return (
        f"{steps} (trials x epochs): {tuning.search_epochs} epochs for each activation in a search, "
        f"{full} if every trial were trained in full"
    )
