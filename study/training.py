"""The central types: a training, everything that decides it, and the result that came back.

A *training* is one network trained once. It is a value: two trainings with equal fields are the
same training, and `Training.digest` is its identity in the ledger, the runs frame and the exports.
A *block* is a configuration with a replicate; every activation is trained in it under the same
random streams, so two trainings of one block are a pair.

Nothing heavy is imported here: the driver, the engines and the analysis all read this file.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Self

from study.errors import said

Level = bool | int | float | str
"""One value of a factor."""


class Status(StrEnum):
    """How a training ended. Everything but `OK` is a failure and counts as a loss of `loss_cap`."""

    OK = "ok"
    DIVERGED = "diverged"
    OOM = "oom"
    TIMEOUT = "timeout"
    ERROR = "error"
    PRUNED = "pruned"
    FAILED = "failed"
    """Of runs from elsewhere: ended without a result, it is not recorded how."""

    @property
    def sentence(self) -> str:
        """The status as a sentence for people."""
        return {
            Status.OK: "trained to the end",
            Status.DIVERGED: "diverged: loss or weights not finite, or loss exploded at chance level",
            Status.OOM: "ran out of memory",
            Status.TIMEOUT: "ran out of its time",
            Status.ERROR: "stopped by an error that is not the activation's doing",
            Status.PRUNED: "stopped early by the pruner",
            Status.FAILED: "ended without a result",
        }[self]


def canonical_json(value: Any) -> str:
    """Serialize `value` so that equal values give equal bytes.

    Keys are sorted, there is no white space, floats are written by `repr` (shortest form that
    reads back exactly).

    Raises
    ------
    ValueError
        If a float is not finite.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def digest_of(value: Any) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]


LATER: Mapping[str, Level] = {
    "learning_rate_policy": "constant",
    "gradient_clipping": 0.0,
    "gain_matched_initialization": False,
}
"""Settings that came after the first ledgers, with their defaults."""


def without_later_defaults(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return `settings` without those of `LATER` that have their default.

    What is recorded and digested is this, so that a training is the one that older ledgers hold.
    """
    return {name: value for name, value in settings.items() if name not in LATER or value != LATER[name]}


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """One setting of every factor, without activation and replicate.

    Parameters
    ----------
    index : int
        Row of the design, from 0. A design that grows keeps its first rows.
    levels : dict of str to Level
        Factor name to level, as the spec states it (a relative learning rate is the multiple).
    """

    index: int
    levels: Mapping[str, Level]

    @cached_property
    def digest(self) -> str:
        """Identity of the configuration; does not depend on its row."""
        return digest_of(dict(self.levels))


@dataclass(frozen=True, kw_only=True)
class Training:
    """Everything that decides one training.

    Parameters
    ----------
    dataset : str
        Name in `study.datasets.DATASETS` or `package.module:function`.
    train_size : int or None
        Images of the training cut that are used, the first ones of its fixed order; None for all.
    architecture : str
        Name in `study.architectures.ARCHITECTURES` or `package.module:function`.
    architecture_arguments : tuple of (str, Level)
        The architecture's own arguments (`depth`, `width`, ...), sorted by name.
    activation : str
        Canonical name: `"mish"`, `"beta_mish(1.5)"` or `package.module:function`.
    epochs, batch_size : int
        The last, incomplete batch of an epoch is left out.
    optimizer : str
        Name in `study.optimizers.OPTIMIZERS`; its constants are written there.
    learning_rate : float
        Absolute; where the policy moves it, its largest value.
    initializer : str
        Name in `study.initializers.INITIALIZERS`; for the kernels of the hidden layers.
    regularizer : str
        `none`, `l1`, `l2` or `l1_l2`; a penalty on the kernels of the hidden layers.
    regularizer_strength : float
        Factor of each penalty term.
    dropout : float
        Probability that a hidden unit is dropped, in [0, 1).
    batch_normalization : bool
        Whether hidden layers are normalized over the batch, before the activation.
    input_noise : float
        Standard deviation of Gaussian noise on the inputs, which are scaled to [0, 1].
    noise_at : str
        `train` or `test`: when the noise is added.
    augmentation : str
        `none`, `shift` or `shift_flip`.
    mixup : float
        Parameter of the symmetric Beta distribution of the mixing coefficient; 0 for no mixup.
    learning_rate_policy : str
        Name in `study.schedules.POLICIES`: how the learning rate moves over the steps.
    gradient_clipping : float
        Global norm that the gradient is clipped to; 0 for no clipping.
    gain_matched_initialization : bool
        Whether the initial kernels of the hidden layers are scaled to the activation's gain, see
        `study.gains`.
    checkpoint : str
        `last` or `best`: the epoch whose weights are scored, fixed beforehand; `best` is by
        validation accuracy.
    sweep_seed : int
        Seed of the sweep.
    configuration : str
        Digest of the configuration.
    replicate : int
        Number of the replicate within the configuration, from 0.
    """

    dataset: str
    train_size: int | None = None
    architecture: str
    architecture_arguments: tuple[tuple[str, Level], ...] = ()
    activation: str
    epochs: int
    batch_size: int
    optimizer: str
    learning_rate: float
    initializer: str = "glorot_uniform"
    regularizer: str = "none"
    regularizer_strength: float = 0.0
    dropout: float = 0.0
    batch_normalization: bool = False
    input_noise: float = 0.0
    noise_at: str = "train"
    augmentation: str = "none"
    mixup: float = 0.0
    learning_rate_policy: str = "constant"
    gradient_clipping: float = 0.0
    gain_matched_initialization: bool = False
    checkpoint: str = "last"
    sweep_seed: int
    configuration: str
    replicate: int

    @cached_property
    def digest(self) -> str:
        """Identity of the training."""
        return digest_of(self.to_json())

    @property
    def block(self) -> str:
        """Identity of the block: configuration and replicate."""
        return f"{self.configuration}-{self.replicate}"

    def to_json(self) -> dict[str, Any]:
        """Return the fields as JSON values, see `without_later_defaults`; `from_json` reads them back."""
        values = without_later_defaults({f.name: getattr(self, f.name) for f in dataclasses.fields(self)})
        values["architecture_arguments"] = dict(self.architecture_arguments)
        return values

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Build a training from what `to_json` returned."""
        fields = dict(values)
        fields["architecture_arguments"] = tuple(sorted(values["architecture_arguments"].items()))
        return cls(**fields)


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainingResult:
    """What came back from one training.

    Parameters
    ----------
    digest : str
        Digest of the training.
    status : Status
        How it ended.
    reason : str
        One sentence on a failure, empty for `ok`.
    metrics : dict of str to float
        `{train,validation,test}_accuracy` in points (0 to 100) and `{...}_loss` (cross-entropy,
        nats) at the checkpoint. Empty unless the status is `ok`.
    curve : dict of str to tuple of float
        One value per epoch that was run: `train_loss`, `train_accuracy` (running, under dropout and
        augmentation), `validation_loss`, `validation_accuracy`. A value that is not finite is NaN.
    checkpoint_epoch : int or None
        Epoch that was scored, from 1.
    seconds : float
        Wall-clock time of the training, without building and tracing its program.
    build_seconds : float
        Time spent on building and tracing, 0 where the program was there already.
    examples_per_second : float
        Training examples seen per second of `seconds`.
    peak_memory_mib : float
        Peak resident memory of the training process so far (CPU) or peak device memory (GPU), MiB.
    """

    digest: str
    status: Status
    reason: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict[str, float])
    curve: Mapping[str, tuple[float, ...]] = field(default_factory=dict[str, tuple[float, ...]])
    checkpoint_epoch: int | None = None
    seconds: float = 0.0
    build_seconds: float = 0.0
    examples_per_second: float = 0.0
    peak_memory_mib: float = 0.0

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON values (not finite becomes None), without the curve."""
        values: dict[str, Any] = {
            f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "curve"
        }
        values["status"] = self.status.value
        values["metrics"] = dict(self.metrics)
        return values

    def curve_to_json(self) -> dict[str, list[float | None]]:
        """Return the curve as plain JSON values; a value that is not finite becomes None."""
        return {
            name: [value if math.isfinite(value) else None for value in values]
            for name, values in self.curve.items()
        }

    @classmethod
    def from_json(
        cls, values: Mapping[str, Any], curve: Mapping[str, list[float | None]] | None = None
    ) -> Self:
        """Build a result from what `to_json` and `curve_to_json` returned."""
        fields = dict(values)
        fields["status"] = Status(values["status"])
        fields["curve"] = {
            name: tuple(math.nan if v is None else v for v in series)
            for name, series in (curve or {}).items()
        }
        return cls(**fields)


def failure(training: Training, error: BaseException, status: Status = Status.ERROR) -> TrainingResult:
    """Return the result of a training that an exception ended."""
    reason = f"{type(error).__name__}: {said(error)}"
    return TrainingResult(digest=training.digest, status=status, reason=reason)
