"""A plan in a terminal."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

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
    facts = Table(box=None, show_header=False, pad_edge=False)
    facts.add_column()
    facts.add_column(overflow="fold")
    for name, value in (
        ("sweep", f"{plan.name} (design {plan.design})"),
        ("configurations", str(plan.configurations)),
        ("activations", str(plan.activations)),
        ("blocks", f"{plan.blocks} (a configuration with one seed)"),
        ("trainings", f"{plan.trainings}, of which {plan.recorded} are recorded"),
        ("engine", plan.engine),
        ("compiled programs", programs if plan.cost.programs else "none left to compile"),
        ("time", f"about {duration(plan.cost.seconds)}{check}"),
        ("training processes", f"{plan.cost.workers}, about {plan.cost.memory_mib:,.0f} MiB of memory each"),
    ):
        facts.add_row(Text(name), Text(value))
    return Group(facts, Text(plan.cost.basis))
