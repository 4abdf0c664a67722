"""The values and tables of a spec: shape, types and bounds, checked by pydantic."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from study.activations import canonical
from study.architectures import ARCHITECTURES
from study.datacards import DATASETS
from study.errors import InputError
from study.question import Role
from study.references import is_reference
from study.training import Level
from study.tuning import Sampler, Tuning
from sweeps.settings import LARGEST, Metric
from sweeps.spec_errors import nearest, sentence_error, wrong_value_error

_REFERENCE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*")


def _scalar(value: object) -> object:
    if not isinstance(value, bool | int | float | str):
        raise wrong_value_error("a level is a number, a name in quotes, true or false.")
    return value if isinstance(value, bool | str) else _finite(value)


def _number(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_value_error("must be a number without quotes.")
    return _finite(value)


def _finite(value: float) -> float:
    if abs(value) <= LARGEST:
        return value
    raise wrong_value_error("must be a finite number of at most 2^53 in size; correct it.")


def _activation(name: str) -> str:
    if is_reference(name):
        return _known(name, {}, "activation")
    try:
        return canonical(name)
    except InputError as error:
        raise sentence_error(str(error)) from None


def _known(name: str, catalogue: Mapping[str, object], noun: str) -> str:
    if name in catalogue or _REFERENCE.fullmatch(name):
        return name
    if is_reference(name):
        raise wrong_value_error('a function of your own is written "package.module:function"; correct it.')
    raise wrong_value_error(f"no {noun} of that name is known; {nearest(name, catalogue)}")


def _architecture(name: str) -> str:
    return _known(name, ARCHITECTURES, "architecture")


def _dataset(name: str) -> str:
    return _known(name, DATASETS, "data set")


Scalar = Annotated[bool | int | float | str, BeforeValidator(_scalar)]
Number = Annotated[int | float, BeforeValidator(_number)]
Architecture = Annotated[str, AfterValidator(_architecture)]
Dataset = Annotated[str, AfterValidator(_dataset)]
Activation = Annotated[str, Field(max_length=200), AfterValidator(_activation)]


class Table(BaseModel):
    """A table of a spec: frozen, no unknown keys, no conversion between types."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class FactorTable(Table):
    """`[factors.<key>]`: what varies, by a list of levels or by a range."""

    role: Role = Field(
        description='"condition" (a row of the table) or "nuisance" (varied and averaged over)',
        examples=["condition"],
    )
    levels: tuple[Scalar, ...] | None = Field(
        default=None, strict=False, description="the levels, at least two", examples=[[3, 8]], max_length=1000
    )
    low: Number | None = Field(default=None, description="lower end of a range, included", examples=[0.1])
    high: Number | None = Field(default=None, description="upper end of a range, included", examples=[10.0])
    step: int | None = Field(
        default=None, description="distance between the levels of a range of whole numbers", examples=[2]
    )
    log: bool = Field(
        default=False,
        description="whether the factor is spaced and analysed on a logarithmic scale",
        examples=[True],
    )
    relative: bool = Field(
        default=False,
        description="for learning_rate: the levels are multiples of the optimizer's base rate",
        examples=[True],
    )

    @property
    def ends(self) -> tuple[int | float, ...]:
        """The ends of the range that are given."""
        return tuple(end for end in (self.low, self.high) if end is not None)

    @property
    def values(self) -> tuple[Level, ...]:
        """The levels, or the ends of the range that are given."""
        return self.ends if self.levels is None else self.levels


class FixedRate(Table):
    """`learning_rate = { relative = true, value = 0.5 }` in `[fixed]`."""

    value: Number = Field(description="the rate, or the multiple of the base rate", examples=[0.5])
    relative: bool = Field(
        description="whether the value is a multiple of the optimizer's base rate", examples=[True]
    )


class MetricTable(Table):
    """`[metric]`: what is compared, which way is better, and at which epoch."""

    name: Metric = Field(description="the metric that is compared", examples=["test_accuracy"])
    direction: Literal["maximize", "minimize"] = Field(
        description="minimize for a loss and maximize for everything else", examples=["maximize"]
    )
    checkpoint: Literal["last", "best"] = Field(
        default="last",
        description="the epoch whose weights are scored; best is by validation accuracy, or Dice coefficient",
        examples=["last"],
    )


class TuningTable(Table):
    """`[tuning]`: the budget of the design `tuned`."""

    trials: int = Field(
        description="the number of configurations tried for each activation",
        examples=[20],
        ge=1,
        le=100_000,
    )
    sampler: Sampler = Field(default="random", description="how they are chosen", examples=["random"])
    repeats: int = Field(
        default=1,
        description="how often the whole search is done, each time from other seeds",
        examples=[6],
        ge=1,
        le=1000,
    )
    confirm: int = Field(
        default=10,
        description="the trainings of each winner on fresh seeds",
        examples=[10],
        ge=1,
        le=10_000,
    )
    halving: int | None = Field(
        default=None,
        description="the factor of successive halving: of the trials of a rung one in so many goes on, "
        "with so many times the epochs; all are trained in full where it is not given",
        examples=[3],
        ge=2,
        le=1000,
    )

    def searches(self, epochs: int) -> Tuning:
        """Return the same as the analysis knows it; a training in full has so many epochs."""
        return Tuning(**self.model_dump(), epochs=None if self.halving is None else epochs)


def _kind_of_fixed(value: object) -> str:
    return "<table>" if isinstance(value, Mapping | FixedRate) else "<level>"


Fixed = Annotated[
    Annotated[Scalar, Tag("<level>")] | Annotated[FixedRate, Tag("<table>")], Discriminator(_kind_of_fixed)
]
