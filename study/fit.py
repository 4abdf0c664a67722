"""The reference engine: Keras `model.fit` on TensorFlow, one training after another.

A program is built and traced once; from then on a training only assigns variables: initial weights,
rates, stream keys, optimizer slots. An epoch is one call into the compiled program. This module is
imported by the process that trains and by nobody else.
"""

# Keras declares no argument types; what pyright infers from its defaults is wrong.
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportOptionalOperand=false

import gc
import os
import resource
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import tensorflow as tf

from study import activations, architectures, batches, datasets, optimizers, streams
from study.clipping import limit_of
from study.curve import Curve
from study.engine import Engine
from study.errors import InputError
from study.fit_steps import StudyModel
from study.initial_values import draw, schemes_of
from study.layers import Rates
from study.objectives import objective_of
from study.packing import Group
from study.programs import Program, program_of
from study.reports import EpochDone, Report
from study.schedules import learning_rates
from study.tasks import kinds
from study.training import Status, Training, TrainingResult, failure

ENGINE = "fit"

JIT_COMPILE = False
"""Whether XLA compiles the program; fixed per release, as results differ in the last digits."""

_EVALUATION_BATCH = 1024


def configure(threads: int) -> str:
    """Pin threads and determinism before TensorFlow starts.

    Parameters
    ----------
    threads : int
        Intra-op threads; operations run one after another.

    Returns
    -------
    str
        The device: `cpu`, or the name of the first GPU.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    tf.config.experimental.enable_op_determinism()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    keras.config.set_floatx("float32")
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if not gpus:
        return "cpu"
    return tf.config.experimental.get_device_details(gpus[0]).get("device_name", "gpu")


class FitEngine(Engine):
    """Trains one training after another; keeps the last program."""

    _compiled: "CompiledProgram | None" = None

    def train(self, groups: Sequence[Group]) -> Iterator[TrainingResult]:
        """Train one after another, see `Engine.train`."""
        for training in (each for group in groups for each in group.trainings):
            try:
                yield self._train(training)
            except InputError:
                raise
            except Exception as error:
                self._compiled = None
                out_of_memory = isinstance(error, tf.errors.ResourceExhaustedError | MemoryError)
                yield failure(training, error, Status.OOM if out_of_memory else Status.ERROR)

    def _train(self, training: Training) -> TrainingResult:
        program = program_of(training)
        build_seconds = 0.0
        if self._compiled is None or self._compiled.program != program:
            started = time.perf_counter()
            self._compiled = None
            keras.backend.clear_session()
            gc.collect()
            dataset = self.load(training.dataset, training.train_size)
            self._compiled = CompiledProgram(program, dataset, self._report)
            build_seconds = time.perf_counter() - started
        return self._compiled.train(training, build_seconds)


class CompiledProgram:
    """A program with its variables; each training resets all of them.

    Parameters
    ----------
    program : Program
        What is built in.
    dataset : Dataset
        Its cuts stay on the device.
    report : callable
        Is told of each epoch.
    """

    def __init__(
        self,
        program: Program,
        dataset: datasets.Dataset,
        report: Callable[[Report], None] = lambda _: None,
    ) -> None:
        self.report = report
        self.program = program
        self.dataset = dataset
        self.rates = Rates(dropping=program.dropping)
        activation = activations.get(program.activation)
        card = dataset.card
        network = architectures.build(program, card.input_shape, card.logits, activation, self.rates)
        self.objective = objective_of(card, program.architecture)
        self.steps = len(dataset.train.x) // program.batch_size
        self.model = StudyModel(program, network, self.rates, dataset.train, self.objective)
        self.model.build()
        optimizer = optimizers.build(program.optimizer)
        optimizer.build(self.model.trainable_variables)
        self.model.compile(optimizer=optimizer, steps_per_execution=self.steps, jit_compile=JIT_COMPILE)
        self._schemes = schemes_of(network)
        self._optimizer_start = [variable.numpy() for variable in optimizer.variables]
        self._step_numbers = tf.data.Dataset.range(self.steps).repeat()
        self._evaluate = tf.function(
            self._evaluate_batch,
            input_signature=[
                tf.TensorSpec((None, *card.input_shape), tf.float32),
                tf.TensorSpec((None, *dataset.train.y.shape[1:]), tf.as_dtype(dataset.train.y.dtype)),
            ],
        )
        self._weights_finite = tf.function(
            lambda: tf.reduce_all(
                [tf.reduce_all(tf.math.is_finite(v.value)) for v in network.weights if v.dtype == "float32"]
            )
        )
        self._trace()

    def _trace(self) -> None:
        """Run each compiled function on one batch, so that a training's seconds hold no tracing."""
        self.model.fit(tf.data.Dataset.range(1), shuffle=False, verbose=0)
        self._weights_finite()
        validation = self.dataset.validation
        self.evaluate(validation.x[:1], validation.y[:1])

    def _evaluate_batch(self, x: tf.Tensor, y: tf.Tensor) -> list[tf.Tensor]:
        return self.objective.sums(y, self.model.network(x, training=False))

    def evaluate(self, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
        """Return the mean loss and scores (points) without dropout or augmentation."""
        task = self.objective.task
        # Of a segmentation more than a training batch may not fit into memory.
        size = _EVALUATION_BATCH if task == "classification" else self.program.batch_size
        sums = dict.fromkeys(kinds(task), 0.0)
        for start in range(0, len(x), size):
            found = self._evaluate(x[start : start + size], y[start : start + size])
            sums = {kind: sums[kind] + float(more) for kind, more in zip(sums, found, strict=True)}
        return {kind: value / len(x) for kind, value in _in_points(sums).items()}

    def weights_finite(self) -> bool:
        """Return whether all weights and moving statistics are finite numbers."""
        return bool(self._weights_finite())

    def reset(self, training: Training) -> None:
        """Assign everything that this training does not share with the one before it."""
        for (variable, _), value in zip(self._schemes, draw(self._schemes, training), strict=True):
            variable.assign(value)
        for variable, start in zip(self.model.optimizer.variables, self._optimizer_start, strict=True):
            variable.assign(start)
        self.model.clipping.assign(limit_of(training))
        self.rates.assign(training)
        self.model.noise.assign(training.input_noise)
        self.model.keys["noise"].assign(streams.key(training, "noise"))
        self.model.keys["augmentation"].assign(streams.key(training, "augmentation"))
        self.model.first_loss.assign(0.0)

    def train(self, training: Training, build_seconds: float = 0.0) -> TrainingResult:
        """Train once from fresh initial weights and score the checkpoint."""
        if tf.config.list_logical_devices("GPU"):
            tf.config.experimental.reset_memory_stats("GPU:0")  # the peak is that of this training
        started = time.perf_counter()
        self.reset(training)
        progress = Progress(self, training)
        self.model.fit(
            self._step_numbers,
            epochs=training.epochs,
            steps_per_epoch=self.steps,
            shuffle=False,
            callbacks=[progress],
            verbose=0,
        )
        seconds = time.perf_counter() - started
        curve = progress.curve
        examples = len(curve.values["train_loss"]) * self.steps * self.program.batch_size
        return TrainingResult(
            digest=training.digest,
            status=Status.DIVERGED if curve.diverged else Status.OK,
            reason=curve.diverged,
            metrics={} if curve.diverged else self._score(progress),
            curve={name: tuple(values) for name, values in curve.values.items()},
            checkpoint_epoch=None if curve.diverged else curve.checkpoint_epoch,
            seconds=seconds,
            build_seconds=build_seconds,
            examples_per_second=examples / seconds,
            peak_memory_mib=_peak_memory_mib(),
        )

    def _score(self, progress: "Progress") -> dict[str, float]:
        """Return what the checkpoint scores on all three cuts; the test cut is seen here and nowhere else."""
        if progress.best_weights is not None:
            self.model.network.set_weights(progress.best_weights)
        metrics = progress.curve.checkpoint_scores
        for name in ("train", "test"):
            cut: datasets.Cut = getattr(self.dataset, name)
            found = self.evaluate(progress.images(name), cut.y)
            metrics |= {f"{name}_{kind}": value for kind, value in found.items()}
        return metrics


class Progress(keras.callbacks.Callback):
    """Lays out the batches of each epoch and follows the training."""

    def __init__(self, compiled: CompiledProgram, training: Training) -> None:
        super().__init__()
        self.compiled = compiled
        self.training = training
        self.best_weights: list[np.ndarray] | None = None
        self._validation = self.images("validation")
        objective = compiled.objective
        self.curve = Curve(training, objective.chance(compiled.dataset.validation), objective.task)
        self._order_key = streams.key(training, "order")
        steps = training.epochs * compiled.steps
        self._coefficients = batches.mixing_coefficients(training, steps) if training.mixup > 0 else None

    def images(self, name: str) -> np.ndarray:
        """Return the images of a cut as they are scored: with noise where the noise is at test time."""
        cut: datasets.Cut = getattr(self.compiled.dataset, name)
        training = self.training
        if training.noise_at == "test" and training.input_noise > 0 and name != "train":
            return batches.noisy_copy(cut.x, training, ("validation", "test").index(name))
        return cut.x

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Lay out the batches of this epoch."""
        del logs
        compiled, model = self.compiled, self.compiled.model
        examples = len(compiled.dataset.train.x)
        model.order.assign(batches.epoch_order(self._order_key, epoch, examples, self.training.batch_size))
        part = slice(epoch * compiled.steps, (epoch + 1) * compiled.steps)
        model.learning_rates.assign(learning_rates(self.training, epoch, compiled.steps))
        if self._coefficients is not None:
            model.coefficients.assign(self._coefficients[part])

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Record the epoch, and stop where the training has diverged."""
        logs = logs or {}
        compiled = self.compiled
        validation = compiled.evaluate(self._validation, compiled.dataset.validation.y)
        scored = self.curve.add(
            first_loss=float(compiled.model.first_loss.numpy()),
            train=_in_points({kind: float(logs[kind]) for kind in kinds(compiled.objective.task)}),
            validation=validation,
            finite=compiled.weights_finite(),
        )
        compiled.report(EpochDone(trainings=1, epoch=epoch + 1, epochs=self.training.epochs))
        if self.curve.diverged:
            compiled.model.stop_training = True
        elif scored and self.training.checkpoint == "best":
            self.best_weights = compiled.model.network.get_weights()


def _in_points(values: Mapping[str, float]) -> dict[str, float]:
    """Return a loss as it is and shares of 1 as points."""
    return {kind: value if kind == "loss" else 100.0 * value for kind, value in values.items()}


def _peak_memory_mib() -> float:
    """Return the process's peak resident memory, or the first GPU's peak memory."""
    if tf.config.list_logical_devices("GPU"):
        return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
