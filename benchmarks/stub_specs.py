"""The spec of sweeps whose networks are a stub: `soak.py` and `sweeper_costs.py` add what is their own."""

_TEXT = """
name = "{name}"
question = "{question}"
focus = "mish"
activations = ["relu", "swish", "gelu"]
dataset = "digits"
architecture = "mlp"
configurations = {configurations}
replicated_share = 0.0
delta = 1.0
{settings}
[factors.depth]
role = "condition"
levels = [3, 6, 9]
[factors.learning_rate]
role = "nuisance"
low = 0.1
high = 10.0
log = true
relative = true
{factors}
"""

ACTIVATIONS = 4


def spec_text(name: str, question: str, configurations: int, *, settings: str, factors: str = "") -> str:
    """Return a spec in TOML with `settings` at its top and `factors` behind the two that all have."""
    return _TEXT.format(
        name=name, question=question, configurations=configurations, settings=settings, factors=factors
    )
