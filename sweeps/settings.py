"""The settings of a training that a spec may vary or fix: kind, range and default, in one table.

The arguments of an architecture (`depth`, `width`) have the same shape and come from
`study.architectures`. Nothing heavy is imported here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from study.architectures import ARCHITECTURES
from study.initializers import INITIALIZERS
from study.optimizers import OPTIMIZERS
from study.schedules import POLICIES
from study.training import Level, Training, TrainingResult
from sweeps.spec_errors import nearest, shown

Metric = Literal[
    "test_accuracy", "validation_accuracy", "train_accuracy", "test_loss", "validation_loss", "train_loss",
    "test_dice", "validation_dice", "train_dice", "test_iou", "validation_iou", "train_iou",
]  # fmt: skip
"""What a sweep may be judged by; `study.tasks` says which of them suit a data set."""

Kind = Literal["whole number", "number", "switch", "name"]

LARGEST = 2**53
"""Numbers beyond this are not exact as floats, and no setting needs them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Setting:
    """What one key of `[factors.*]` and `[fixed]` may hold.

    Parameters
    ----------
    kind : {"whole number", "number", "switch", "name"}
        Type of its values.
    meaning : str
        What it is, for messages, the schema and the docs.
    default : Level
        Value where the spec says nothing; for the learning rate a multiple of the optimizer's base
        rate.
    minimum, maximum : float
        Ends of the range of a number, both included unless said otherwise.
    open_below, open_above : bool
        Whether the minimum or the maximum itself is excluded.
    step : int
        Distance of the values of a whole number from the minimum on.
    names : tuple of str
        The names that are allowed.
    owner : str
        The architecture it is an argument of; empty for a setting of the training itself.
    """

    kind: Kind
    meaning: str
    default: Level
    minimum: float = 0
    maximum: float = 1
    open_below: bool = False
    open_above: bool = False
    step: int = 1
    names: tuple[str, ...] = ()
    owner: str = ""

    @property
    def numeric(self) -> bool:
        """Whether the values are numbers."""
        return self.kind in ("whole number", "number")

    def canonical(self, value: Level) -> Level:
        """Return `value` in the setting's type: a whole number given for a number becomes a float."""
        return float(value) if self.kind == "number" else value

    def complaint(self, key: str, value: Level) -> str | None:
        """Return the rule that `value` breaks and the fix, or None.

        Parameters
        ----------
        key : str
            Name of the setting.
        value : Level
            A finite scalar.
        """
        if not self._takes_type_of(value):
            return f"{key} must be {self._type_in_words}; write for example {shown(self.default)}."
        if self.kind == "name" and value not in self.names:
            return f"no {key} of that name is known; {nearest(str(value), self.names)}"
        if not self.numeric:
            return None
        number, low, high = float(value), f"{self.minimum:.15g}", f"{self.maximum:.15g}"
        if number < self.minimum or (self.open_below and number == self.minimum):
            bound, fix = (
                (f"more than {low}", f"raise it above {low}")
                if self.open_below
                else (f"at least {low}", f"raise it to {low} or more")
            )
        elif number > self.maximum or (self.open_above and number == self.maximum):
            bound, fix = (
                (f"less than {high}", f"lower it below {high}")
                if self.open_above
                else (f"at most {high}", f"lower it to {high} or less")
            )
        else:
            return self._complaint_of_step(int(number)) if self.step > 1 else None
        verb = "needs" if number < self.maximum else "takes"
        rule = f"{self.owner} {verb} {bound} {self.meaning}" if self.owner else f"{key} must be {bound}"
        return f"{rule}; {fix}."

    @property
    def form(self) -> str:
        """The values of a whole number with steps as a formula, such as `6n + 2`; empty without steps."""
        return f"{self.step}n + {self.minimum % self.step or self.step:g}" if self.step > 1 else ""

    def _complaint_of_step(self, value: int) -> str | None:
        """Return the rule that a value within the bounds breaks when it is between two steps, or None."""
        below = value - (value - int(self.minimum)) % self.step
        if below == value:
            return None
        return f"{self.owner} needs {self.form} {self.meaning}; write {below} or {below + self.step}."

    def _takes_type_of(self, value: Level) -> bool:
        if self.kind == "switch" or isinstance(value, bool):
            return self.kind == "switch" and isinstance(value, bool)
        if self.kind == "name":
            return isinstance(value, str)
        return isinstance(value, int) or (self.kind == "number" and isinstance(value, float))

    @property
    def _type_in_words(self) -> str:
        return {"switch": "true or false", "name": "a name in quotes"}.get(self.kind, f"a {self.kind}")


TRAINING_SETTINGS: Mapping[str, Setting] = {
    "batch_size": Setting(
        kind="whole number", meaning="images per step of the optimizer", default=64, minimum=1, maximum=65536
    ),
    "optimizer": Setting(
        kind="name", meaning="update rule of the weights", default="adam", names=tuple(OPTIMIZERS)
    ),
    "learning_rate": Setting(
        kind="number",
        meaning="step size: absolute, or a multiple of the optimizer's base rate",
        default=1.0,
        maximum=1e6,
        open_below=True,
    ),
    "learning_rate_policy": Setting(
        kind="name",
        meaning="how the learning rate moves over the steps",
        default="constant",
        names=tuple(POLICIES),
    ),
    "gradient_clipping": Setting(
        kind="number",
        meaning="global norm that the gradient is clipped to; 0 for no clipping",
        default=0.0,
        maximum=1e6,
    ),
    "initializer": Setting(
        kind="name",
        meaning="distribution of the initial weights of the hidden layers",
        default="glorot_uniform",
        names=tuple(INITIALIZERS),
    ),
    "gain_matched_initialization": Setting(
        kind="switch",
        meaning="whether the initial weights of the hidden layers are scaled to the activation's gain",
        default=False,
    ),
    "regularizer": Setting(
        kind="name",
        meaning="penalty on the weights of the hidden layers",
        default="none",
        names=("none", "l1", "l2", "l1_l2"),
    ),
    "regularizer_strength": Setting(
        kind="number", meaning="factor of each penalty term", default=1e-4, maximum=1e6
    ),
    "dropout": Setting(
        kind="number", meaning="probability that a hidden unit is dropped", default=0.0, open_above=True
    ),
    "batch_normalization": Setting(
        kind="switch", meaning="whether hidden layers are normalized over the batch", default=False
    ),
    "input_noise": Setting(
        kind="number",
        meaning="standard deviation of Gaussian noise on the inputs, which lie in [0, 1]",
        default=0.0,
        maximum=1000,
    ),
    "augmentation": Setting(
        kind="name",
        meaning="random change of the training images",
        default="none",
        names=("none", "shift", "shift_flip"),
    ),
    "mixup": Setting(
        kind="number",
        meaning="parameter of mixup's Beta distribution; 0 for no mixup",
        default=0.0,
        maximum=100,
    ),
}
"""The settings that every training has, whatever its architecture."""

TAKEN_NAMES = frozenset(
    {
        *Training.__dataclass_fields__,
        *TrainingResult.__dataclass_fields__,
        *get_args(Metric),
        "block",
        "seed",
        "unit_id",
    }
) - frozenset(TRAINING_SETTINGS)
"""Names that an argument of a user's own architecture cannot have: other columns have them."""

_KINDS: Mapping[type, Kind] = {int: "whole number", float: "number", bool: "switch"}
_MEANINGS = {
    "depth": "weight layers (hidden layers and the output layer)",
    "width": "units in each hidden layer (unet: filters of its first level)",
    "width_multiplier": "times the filters and units of each hidden layer",
    "routings": "rounds of routing between capsules",
    "levels": "how often height and width are halved",
}


def settings_of(architecture: str) -> dict[str, Setting]:
    """Return every setting that is known for an architecture, in the order of the docs.

    Parameters
    ----------
    architecture : str
        Name in `ARCHITECTURES`. Of `package.module:function` only the training's own settings are
        known; whether the function takes the others is checked when it is called.
    """
    settings = dict(TRAINING_SETTINGS)
    if architecture in ARCHITECTURES:
        entry = ARCHITECTURES[architecture]
        settings["batch_normalization"] = replace(
            settings["batch_normalization"], default=entry.batch_normalization
        )
        for name, argument in entry.arguments.items():
            settings[name] = Setting(
                kind=_KINDS[argument.type],
                meaning=_MEANINGS.get(name, name),
                default=argument.default,
                minimum=argument.minimum,
                maximum=argument.maximum,
                step=argument.step,
                owner=architecture,
            )
    return settings


def own_setting(name: str, values: Sequence[Level]) -> Setting:
    """Return the setting of an argument of a user's own architecture, as its values suggest it.

    Parameters
    ----------
    name : str
        Name of the argument.
    values : sequence of Level
        What the spec gives for it, at least one; whole numbers among other numbers count as such.
    """
    kind: Kind
    if isinstance(values[0], bool):
        kind = "switch"
    elif isinstance(values[0], str):
        kind = "name"
    else:
        kind = "number" if any(isinstance(value, float) for value in values) else "whole number"
    names = tuple(value for value in values if isinstance(value, str))
    return Setting(kind=kind, meaning=name, default=values[0], minimum=-LARGEST, maximum=LARGEST, names=names)
