"""What a sweep asks, as the analysis needs to know it: focus, rivals, factors, what counts as a difference.

It is written into the ledger beside the results, so that a table can be made from the ledger alone.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from study.tasks import Task
from study.training import Level, Status
from study.tuning import Tuning

Role = Literal["condition", "nuisance"]
Design = Literal["ofat", "paired", "tuned"]
Structure = Design | Literal["unpaired"]
"""A design that a spec can ask for, or what runs from elsewhere may turn out to be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Factor:
    """Something that varies beside the activation.

    Parameters
    ----------
    name : str
        Key in the spec and column of the runs frame.
    role : {"condition", "nuisance"}
        A condition is a row of the criteria table; a nuisance is varied and averaged over.
    levels : tuple of Level or None
        The levels in the order of the spec, or None for a range.
    low, high : int, float or None
        Ends of a range, both included.
    integer : bool
        Whether a range holds whole numbers only.
    step : int or None
        Distance between the levels of an integer range.
    log : bool
        Whether the factor is spaced and analysed on a logarithmic scale.
    relative : bool
        For `learning_rate`: levels are multiples of the optimizer's base learning rate.
    """

    name: str
    role: Role
    levels: tuple[Level, ...] | None = None
    low: float | None = None
    high: float | None = None
    integer: bool = False
    step: int | None = None
    log: bool = False
    relative: bool = False

    @property
    def numeric(self) -> bool:
        """Whether the levels are ordered numbers rather than names or switches."""
        if self.levels is None:
            return True
        return all(isinstance(level, int | float) and not isinstance(level, bool) for level in self.levels)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        values = dataclasses.asdict(self)
        values["levels"] = None if self.levels is None else list(self.levels)
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Build a factor from what `to_json` returned."""
        fields = dict(values)
        if values["levels"] is not None:
            fields["levels"] = tuple(values["levels"])
        return cls(**fields)


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What is asked and what counts as an answer; fixed before the first training.

    Parameters
    ----------
    name : str
        Name of the sweep.
    question : str
        The question in the user's words.
    focus : str
        The activation asked about.
    rivals : tuple of str
        What it is compared with, in the order of the spec.
    design : {"ofat", "paired", "tuned", "unpaired"}
        How configurations were chosen. `unpaired`: each ran with one activation, in runs from elsewhere.
    dataset, architecture : str
        As in the spec.
    dataset_note : str
        A remark that every table must carry, such as a data set that is not the upstream one.
    factors : tuple of Factor
        In the order of the spec, without a profiled one.
    profile : Factor or None
        `paired` only: in every block each activation is trained at each of its levels, and the level with
        the best validation score counts, see `study.profile`.
    baseline : tuple of (str, Level)
        `ofat` only: the level every factor has while another one moves.
    metric : str
        Column of the runs frame that is compared, such as `test_accuracy`.
    higher_is_better : bool
        Direction of the metric.
    unit : str
        Unit of the metric: `points` for scores, `nats` for losses of a classification.
    delta : float
        Smallest difference that matters, in the metric's unit.
    loss_cap : float
        Differences are clipped to plus or minus this; a failed side loses this much.
    planned_configurations, planned_trainings : int
        Size of the whole design, to tell a finished sweep from a running one; in `tuned` the first is the
        number of trials.
    tuning : Tuning or None
        Size of a `tuned` sweep; None for the other designs.
    task : {"classification", "segmentation"}
        Of the data set; it says which metrics a training has.
    """

    name: str
    question: str
    focus: str
    rivals: tuple[str, ...]
    design: Structure
    dataset: str
    architecture: str
    dataset_note: str = ""
    factors: tuple[Factor, ...]
    profile: Factor | None = None
    baseline: tuple[tuple[str, Level], ...] = ()
    metric: str
    higher_is_better: bool
    unit: str
    delta: float
    loss_cap: float
    planned_configurations: int
    planned_trainings: int
    tuning: Tuning | None = None
    task: Task = "classification"

    @property
    def activations(self) -> tuple[str, ...]:
        """Focus first, then the rivals."""
        return (self.focus, *self.rivals)

    @property
    def varied(self) -> tuple[Factor, ...]:
        """All that differs between trainings of one activation: the factors, then the profiled one."""
        return (*self.factors, *([self.profile] if self.profile is not None else []))

    @property
    def chosen_by(self) -> str:
        """Column of the runs frame that the better of two settings is chosen by: `metric` on validation."""
        return f"validation_{self.metric.rpartition('_')[2]}"

    def ranked(self, statuses: Iterable[str], scores: Iterable[float | None]) -> list[int]:
        """Return the places of trainings among which the best is chosen, the best first.

        Parameters
        ----------
        statuses : iterable of str
            Of each training: a `study.training.Status`.
        scores : iterable of float or None
            Of each training: the metric `chosen_by`; read where the status is `ok`.

        Returns
        -------
        list of int
            Of equally good ones the earlier comes first, as it does among those without a result, which
            come last.
        """
        losses: list[float] = []
        for status, score in zip(statuses, scores, strict=True):
            if status != Status.OK:
                losses.append(float("inf"))
                continue
            assert score is not None
            losses.append(-score if self.higher_is_better else score)
        return sorted(range(len(losses)), key=losses.__getitem__)

    @property
    def conditions(self) -> tuple[Factor, ...]:
        """The factors that are rows of the criteria table."""
        return tuple(factor for factor in self.factors if factor.role == "condition")

    def difference(self, focus_value: float | None, rival_value: float | None) -> float:
        """Return the paired difference of one block, positive where the focus is better.

        Parameters
        ----------
        focus_value, rival_value : float or None
            The metric of either side; None where that side failed.

        Returns
        -------
        float
            Clipped to plus or minus `loss_cap`, which is also what a side that failed alone loses;
            0 where both failed.
        """
        if focus_value is None or rival_value is None:
            return self.loss_cap * ((rival_value is None) - (focus_value is None))
        raw = focus_value - rival_value if self.higher_is_better else rival_value - focus_value
        return min(max(raw, -self.loss_cap), self.loss_cap)

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {
            **values,
            "rivals": list(self.rivals),
            "factors": [factor.to_json() for factor in self.factors],
            "profile": None if self.profile is None else self.profile.to_json(),
            "baseline": dict(self.baseline),
            "tuning": None if self.tuning is None else self.tuning.to_json(),
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Build a question from what `to_json` returned."""
        fields = dict(values)
        fields["rivals"] = tuple(values["rivals"])
        fields["factors"] = tuple(Factor.from_json(factor) for factor in values["factors"])
        if values.get("profile") is not None:
            fields["profile"] = Factor.from_json(values["profile"])
        fields["baseline"] = tuple(values["baseline"].items())
        if values.get("tuning") is not None:
            fields["tuning"] = Tuning.from_json(values["tuning"])
        return cls(**fields)
