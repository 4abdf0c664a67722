"""What a sweep asks for, as a value: read from TOML and checked before anything else happens.

`load` and `parse` return a `SweepSpec` that can be run, or raise `InputError` with one sentence for
each mistake. No deep-learning framework is imported.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self

from pydantic import Field, ValidationError, model_validator

from study.architectures import ARCHITECTURES
from study.datacards import DATASETS, task_of
from study.errors import InputError
from study.optimizers import OPTIMIZERS
from study.question import Design, Factor, Question
from study.tasks import Task, unit_of
from study.training import Configuration, Level, Training, digest_of, without_later_defaults
from study.tuning import Tuning
from sweeps import spec_rules
from sweeps.settings import LARGEST, TRAINING_SETTINGS, Setting, own_setting, settings_of
from sweeps.spec_changes import changes
from sweeps.spec_errors import sentences, toml_sentence
from sweeps.spec_tables import (
    Activation,
    Architecture,
    Dataset,
    FactorTable,
    Fixed,
    FixedRate,
    MetricTable,
    Scalar,
    Table,
    TuningTable,
)

_LARGEST_FILE = 1_000_000
"""Bytes; a spec has a few hundred, so a larger file is another file."""


class SweepSpec(Table):
    """A sweep: the question, the design, what is trained and what counts as a difference.

    Raises
    ------
    pydantic.ValidationError
        If a rule is broken; `parse` and `load` turn it into an `InputError`.
    """

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$",
        description="the sweep's name, 1 to 64 of the characters a-z 0-9 . _ - with a letter or digit first",
        examples=["quickstart"],
    )
    question: str = Field(
        min_length=1,
        max_length=1000,
        description="the question in your own words",
        examples=["When does Mish beat ReLU?"],
    )
    focus: Activation = Field(description="the activation asked about", examples=["mish"])
    rivals: tuple[Activation, ...] = Field(
        alias="activations",
        strict=False,
        min_length=1,
        max_length=100,
        description="the list of its rivals",
        examples=[["relu", "swish"]],
    )
    design: Design = Field(
        default="paired",
        description="how configurations are chosen: paired, ofat or tuned",
        examples=["paired"],
    )
    dataset: Dataset = Field(
        description="the data set: a name or package.module:function", examples=["digits"]
    )
    train_size: int | None = Field(
        default=None,
        ge=1,
        le=LARGEST,
        description="the number of training images used; all where it is not given",
        examples=[1000],
    )
    architecture: Architecture = Field(
        description="the network: a name or package.module:function", examples=["mlp"]
    )
    configurations: int = Field(
        default=40, ge=1, le=100_000, description="paired: the number of configurations drawn", examples=[40]
    )
    replicates: int = Field(
        default=1, ge=1, le=10_000, description="the number of seeds of each configuration", examples=[1]
    )
    replicated_share: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="paired: the share of the configurations that gets one seed more",
        examples=[0.2],
    )
    profile: tuple[Literal["learning_rate"], ...] = Field(
        default=(),
        strict=False,
        max_length=1,
        description="paired: the factor of which each activation takes its best level in every block",
        examples=[["learning_rate"]],
    )
    epochs: int = Field(ge=1, le=1_000_000, description="the passes over the training data", examples=[15])
    delta: float = Field(
        gt=0,
        le=1e6,
        description="the smallest difference that matters, in points or nats",
        examples=[1.0],
    )
    loss_cap: float = Field(
        default_factory=lambda known: 10 * known["delta"],
        le=1e9,
        description="what a failed side loses and where a difference is clipped; 10 x delta if not given",
        examples=[10.0],
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="the seed of the sweep", examples=[2026])
    threads: int = Field(
        default=1, ge=1, le=1024, description="threads inside one operation, pinned", examples=[1]
    )
    retries: int = Field(
        default=1,
        ge=1,
        le=100,
        description="how often a training whose process died or hung is tried again",
        examples=[1],
    )
    epoch_timeout: float = Field(
        default=21_600.0,
        ge=1,
        le=1e9,
        description="seconds without the end of an epoch after which a process is taken for hung",
        examples=[3600.0],
    )
    noise_at: Literal["train", "test"] = Field(
        default="train", description="when the input noise is added", examples=["train"]
    )
    metric: MetricTable = Field(
        default=MetricTable(name="test_accuracy", direction="maximize"), description="what is compared"
    )
    factors: dict[str, FactorTable] = Field(
        description="what varies beside the activation, a table [factors.<key>] each"
    )
    fixed: dict[str, Fixed] = Field(default={}, description="settings that do not vary")
    baseline: dict[str, Scalar] = Field(
        default={}, description="ofat: the level each factor has while another one moves"
    )
    tuning: TuningTable | None = Field(default=None, description="tuned: the budget of the search")

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        if mistakes := spec_rules.mistakes(self):
            raise ValidationError.from_exception_data("SweepSpec", mistakes)
        for factor in self.factor_list:  # 3.0 means the level 3, and digests tell the two apart
            if factor.name in self.baseline and factor.levels is not None:
                place = factor.levels.index(self.baseline[factor.name])
                self.baseline[factor.name] = factor.levels[place]
        return self

    @property
    def activations(self) -> tuple[str, ...]:
        """Focus first, then the rivals."""
        return (self.focus, *self.rivals)

    @property
    def task(self) -> Task:
        """What the data set asks for."""
        return task_of(self.dataset)

    @property
    def settings(self) -> dict[str, Setting]:
        """Every setting of a training of this sweep, in the order of the docs."""
        settings = settings_of(self.architecture)
        for name, table in self.factors.items():
            if name not in settings:
                settings[name] = own_setting(name, table.values)
        for name, value in self.fixed.items():
            if name not in settings and not isinstance(value, FixedRate):
                settings[name] = own_setting(name, (value,))
        return settings

    @property
    def factor_list(self) -> tuple[Factor, ...]:
        """The factors in the order of the spec, every level in its setting's type."""
        settings = self.settings
        return tuple(_factor(name, table, settings[name]) for name, table in self.factors.items())

    @property
    def profiled_factor(self) -> Factor | None:
        """The factor that is crossed with the activations inside each block; None without `profile`."""
        return next((factor for factor in self.factor_list if factor.name in self.profile), None)

    @property
    def drawn_factors(self) -> tuple[Factor, ...]:
        """The factors that make a configuration: all but a profiled one."""
        return tuple(factor for factor in self.factor_list if factor.name not in self.profile)

    @property
    def constants(self) -> dict[str, Level]:
        """The settings that do not vary, with the defaults; a relative rate is the multiple."""
        values: dict[str, Level] = {}
        for name, setting in self.settings.items():
            if name not in self.factors:
                value = self.fixed.get(name, setting.default)
                values[name] = setting.canonical(value.value if isinstance(value, FixedRate) else value)
        return values

    @property
    def relative_learning_rate(self) -> bool:
        """Whether learning rates are multiples of the optimizer's base rate."""
        if "learning_rate" in self.factors:
            return self.factors["learning_rate"].relative
        fixed = self.fixed.get("learning_rate")
        return fixed is None or (isinstance(fixed, FixedRate) and fixed.relative)

    @property
    def searches(self) -> Tuning | None:
        """How the searches of a `tuned` sweep are laid out; None for the other designs."""
        return None if self.tuning is None else self.tuning.searches(self.epochs)

    @property
    def digest(self) -> str:
        """Identity of everything that decides the results: all but the name and the question's text."""
        return digest_of(self.content())

    def content(self) -> dict[str, Any]:
        """Return everything that decides the results as plain JSON values, the defaults included."""
        plain = ("focus", "design", "dataset", "train_size", "architecture", "replicates", "epochs", "delta")
        content: dict[str, Any] = {key: getattr(self, key) for key in plain}
        content |= {key: getattr(self, key) for key in ("loss_cap", "seed", "threads", "noise_at")}
        content["activations"] = list(self.rivals)
        content["metric"] = {"name": self.metric.name, "checkpoint": self.metric.checkpoint}
        content["factors"] = [factor.to_json() for factor in self.factor_list]
        content["fixed"] = without_later_defaults(self.constants)
        content["relative_learning_rate"] = self.relative_learning_rate
        if self.design == "paired":
            content |= {key: getattr(self, key) for key in ("configurations", "replicated_share")}
        if self.profile:
            content["profile"] = list(self.profile)
        if self.design == "ofat":
            content["baseline"] = self.baseline
        if self.tuning is not None:
            content["tuning"] = self.tuning.model_dump(exclude_none=True)
        return content

    def changes_against(self, older: Self) -> list[str]:
        """Return what differs from `older` in what decides the results, a line per key: old -> new."""
        return [str(change) for change in changes(older.content(), self.content())]

    def question_for_analysis(self, planned_configurations: int, planned_trainings: int) -> Question:
        """Return what the analysis needs to know of this sweep.

        Parameters
        ----------
        planned_configurations, planned_trainings : int
            Size of the whole design.
        """
        card = DATASETS.get(self.dataset)
        return Question(
            name=self.name,
            question=self.question,
            focus=self.focus,
            rivals=self.rivals,
            design=self.design,
            dataset=self.dataset,
            architecture=self.architecture,
            dataset_note="" if card is None else card.note,
            factors=self.drawn_factors,
            profile=self.profiled_factor,
            baseline=tuple(sorted(self.baseline.items())),
            metric=self.metric.name,
            higher_is_better=self.metric.direction == "maximize",
            unit=unit_of(self.metric.name, self.task),
            delta=self.delta,
            loss_cap=self.loss_cap,
            planned_configurations=planned_configurations,
            planned_trainings=planned_trainings,
            tuning=self.searches,
            task=self.task,
        )

    def training_for(
        self,
        configuration: Configuration,
        replicate: int,
        activation: str,
        profiled: Mapping[str, Level] = MappingProxyType({}),
    ) -> Training:
        """Return one training of the sweep, everything resolved.

        Parameters
        ----------
        configuration : Configuration
            Has a level for every factor that is drawn.
        replicate : int
            Number of the replicate, from 0.
        activation : str
            Canonical name.
        profiled : dict of str to Level
            Level of the profiled factor, where there is one.
        """
        values = {**self.constants, **configuration.levels, **profiled}
        if self.relative_learning_rate:
            base = OPTIMIZERS[str(values["optimizer"])].learning_rate
            values["learning_rate"] = base * float(values["learning_rate"])
        return Training.from_json(
            {
                **{name: values[name] for name in TRAINING_SETTINGS},
                "dataset": self.dataset,
                "train_size": self.train_size,
                "architecture": self.architecture,
                "architecture_arguments": {
                    name: value for name, value in values.items() if name not in TRAINING_SETTINGS
                },
                "activation": activation,
                "epochs": self.epochs_of(configuration),
                "noise_at": self.noise_at,
                "checkpoint": self.metric.checkpoint,
                "sweep_seed": self.seed_of(configuration),
                "configuration": configuration.digest,
                "replicate": replicate,
            }
        )

    def seed_of(self, configuration: Configuration) -> int:
        """Return the seed of the trainings of a configuration: in `tuned` each repeat has its own."""
        searches = self.searches
        if searches is None:
            return self.seed
        return searches.seed(self.seed, searches.place(configuration.index))

    def epochs_of(self, configuration: Configuration) -> int:
        """Return the epochs of the trainings of a configuration: with halving each rung has its own."""
        searches = self.searches
        if searches is None or searches.halving is None:
            return self.epochs
        place = searches.place(configuration.index)
        return self.epochs if place.trial is None else searches.rung_epochs[place.rung]

    def to_toml(self) -> str:
        """Return the spec as TOML, without comments; `parse` reads an equal spec back."""
        import tomlkit

        return tomlkit.dumps(self.model_dump(mode="json", by_alias=True, exclude_unset=True))


def _factor(name: str, table: FactorTable, setting: Setting) -> Factor:
    """Return the factor of a table whose values have been checked."""
    if table.levels is not None:
        levels = tuple(setting.canonical(level) for level in table.levels)
        return Factor(name=name, role=table.role, levels=levels, log=table.log, relative=table.relative)
    integer = setting.kind == "whole number"
    low, high = (end if integer else float(end) for end in table.ends)
    return Factor(
        name=name,
        role=table.role,
        low=low,
        high=high,
        integer=integer,
        step=table.step or setting.step if integer and not table.log else None,
        log=table.log,
        relative=table.relative,
    )


def parse(text: str, source: str) -> SweepSpec:
    """Return the spec in a TOML text.

    Parameters
    ----------
    text : str
        The TOML.
    source : str
        Name of its file; every message begins with it.

    Raises
    ------
    InputError
        If the text is not TOML or the spec breaks a rule: one sentence a mistake, one mistake a line.
    """
    try:
        document = tomllib.loads(text)
    except RecursionError:
        raise InputError(f"{source}: the brackets are nested too deeply; a spec needs two levels.") from None
    except ValueError as error:
        raise InputError(toml_sentence(source, error)) from None
    try:
        return SweepSpec.model_validate(document)
    except ValidationError as error:
        settings = [*TRAINING_SETTINGS, *(name for each in ARCHITECTURES.values() for name in each.arguments)]
        raise InputError(sentences(source, error, SweepSpec, settings)) from None


def load(path: Path) -> SweepSpec:
    """Return the spec in a file.

    Raises
    ------
    InputError
        If the file cannot be read, and as in `parse`.
    """
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise InputError(f"{path}: the file is larger than 1 MB; a spec is a short TOML file.")
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file; check the path of the spec.") from None
    except IsADirectoryError:
        raise InputError(f"{path}: this is a folder; name the TOML file in it.") from None
    except OSError as error:
        raise InputError(f"{path}: the file cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: byte {error.start} is not UTF-8; save the file with the encoding UTF-8."
        ) from None
    return parse(text, str(path))
