"""The fast engine: many networks trained at once by one compiled program, Keras on JAX.

The network is built once; its variables are replaced by the values of a member, and `jax.vmap` runs all
members of a pack side by side. `lax.scan` runs the steps of an epoch, with the data on the device. Members
differ in initial weights, rates, streams, activation and optimizer: each activation works on its own slice
of the pack, and of the optimizers each member keeps its own update. The numbers are those of the `fit`
engine up to the order of floating-point sums. Imported by the process that trains and by nobody else; runs
where TensorFlow is not installed.
"""

# Keras declares no argument types; what pyright infers from its defaults is wrong.
# pyright: reportArgumentType=false

import gc
import itertools
import os
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

os.environ["KERAS_BACKEND"] = "jax"

import jax
import jax.numpy as jnp
import keras

from study import batches, datasets, streams
from study.clipping import limit_of
from study.curve import Curve, chance_limit
from study.engine import Engine
from study.errors import InputError
from study.initial_values import draw_shared, matched, schemes_of
from study.memory import free_bytes
from study.packing import Pack
from study.reports import EpochDone, Report, Split
from study.schedules import learning_rates
from study.steps import State, Steps
from study.training import Status, TrainingResult, failure

ENGINE = "population"

JIT_COMPILE = True

_SMALLEST_CHUNK, _LARGEST_CHUNK = 256, 1024
"""Images that are scored at once."""


def configure(threads: int) -> str:
    """Pin threads and determinism before JAX starts.

    Parameters
    ----------
    threads : int
        Intra-op threads.

    Returns
    -------
    str
        The device: `cpu`, or the name of the first GPU.
    """
    flags = [f"--xla_cpu_multi_thread_eigen={'true' if threads > 1 else 'false'}"]
    flags += ["--xla_gpu_deterministic_ops=true", "--xla_gpu_autotune_level=0"]
    os.environ["XLA_FLAGS"] = " ".join([os.environ.get("XLA_FLAGS", ""), *flags]).strip()
    os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
    os.environ["NPROC"] = str(threads)
    jax.config.update("jax_default_matmul_precision", "highest")
    # XLA's own caches would make the path of the folder a part of what a compiled program is found by.
    jax.config.update("jax_persistent_cache_enable_xla_caches", "none")
    keras.config.set_floatx("float32")
    device = jax.devices()[0]
    return "cpu" if device.platform == "cpu" else device.device_kind


class PopulationEngine(Engine):
    """Trains packs."""

    def train(self, groups: Sequence[Pack]) -> Iterator[TrainingResult]:
        """Train pack after pack, see `Engine.train`; a pack that raises fails as a whole.

        While one program trains, the next one is compiled.
        """
        runs = [list(run) for _, run in itertools.groupby(groups, _compiled_alike)]
        with ThreadPoolExecutor(max_workers=1) as compiler:
            ahead = [compiler.submit(self._compile, run[0]) for run in runs[:1]]
            for run, following in itertools.zip_longest(runs, runs[1:]):
                compiled = ahead.pop()
                if following:
                    ahead.append(compiler.submit(self._compile, following[0]))
                for pack in run:
                    try:
                        yield from compiled.result().train(pack)
                    except InputError:
                        raise
                    except Exception as error:
                        if not is_out_of_memory(error):
                            yield from (failure(each, error) for each in pack.trainings)
                        elif pack.blocks == 1:
                            yield from (failure(each, error, Status.OOM) for each in pack.trainings)
                        else:
                            self._report(Split(shape=pack.shape, blocks=pack.blocks // 2))
                            return
                # Keras' networks hold themselves, and with them their arrays on the device.
                del compiled
                gc.collect()

    def _compile(self, pack: Pack) -> "CompiledPopulation":
        dataset = self.load(pack.program.dataset, pack.program.train_size)
        return CompiledPopulation(pack, dataset, self._report)


class CompiledPopulation:
    """One compiled program for all packs of its shape.

    Parameters
    ----------
    pack : Pack
        Any of those packs.
    dataset : Dataset
        Its training cut stays on the device.
    report : callable
        Is told of each epoch.
    """

    def __init__(
        self,
        pack: Pack,
        dataset: datasets.Dataset,
        report: Callable[[Report], None] = lambda _: None,
    ) -> None:
        started = time.perf_counter()
        self._report = report
        self.dataset = dataset
        self.program = program = pack.program
        card = dataset.card
        self._device = device = Steps(pack, card)
        self._repeats = len(pack.activations)
        self._schemes = schemes_of(device.network)
        self._starts = [[np.asarray(v) for v in optimizer.variables] for optimizer in device.optimizers]
        self._steps = len(dataset.train.x) // program.batch_size
        self._data = jnp.asarray(dataset.train.x), jnp.asarray(dataset.train.y)
        # One size of chunk serves all cuts, so that scoring is compiled once.
        largest = max(len(dataset.validation.x), len(dataset.test.x), _SMALLEST_CHUNK)
        self._chunk = min(_LARGEST_CHUNK, largest)
        state, fixed = self._begin(pack)
        epoch = jax.jit(device.epoch, donate_argnums=0)
        self._epoch = epoch.lower(state, fixed, self._data, *self._batches(pack, 0)).compile()
        weights = {name: state[name] for name in ("trainable", "other")}
        images = np.zeros((self._chunk, *card.input_shape), np.float32)
        if pack.noisy_scores:
            images = np.stack([images] * pack.blocks)
        labels, counted = np.zeros(self._chunk, np.int32), np.zeros(self._chunk, bool)
        self._scored = jax.jit(device.score).lower(weights, images, labels, counted).compile()
        self._weights_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(weights))
        self._build_seconds = time.perf_counter() - started

    def _needed_bytes(self, pack: Pack) -> int:
        """Return what training a pack takes beside the data set, by the compiler's account; 0 for none."""
        epoch, score = self._epoch.memory_analysis(), self._scored.memory_analysis()
        if epoch is None or score is None:
            return 0
        arguments = epoch.argument_size_in_bytes - sum(array.nbytes for array in self._data)
        outputs = epoch.output_size_in_bytes - epoch.alias_size_in_bytes
        kept = self._weights_bytes if pack.best else 0
        return arguments + outputs + max(epoch.temp_size_in_bytes, score.temp_size_in_bytes) + kept

    def _begin(self, pack: Pack) -> tuple[State, State]:
        """Return what a pack starts from, and what stays fixed while it is trained."""
        members, blocks = pack.members, pack.members[: pack.blocks]
        drawn = {block: draw_shared(self._schemes, block) for block in dict.fromkeys(blocks)}
        starts = [
            matched(self._schemes, drawn[block], member)
            for member, block in zip(members, blocks * self._repeats, strict=True)
        ]
        values = [jnp.asarray(np.stack(column)) for column in zip(*starts, strict=True)]
        by_variable = dict(zip((id(variable) for variable, _ in self._schemes), values, strict=True))
        slots = []
        for place, start in zip(self._device.rate_places, self._starts, strict=True):
            stacked = [jnp.asarray(np.stack([value] * len(members))) for value in start]
            stacked[place] = jnp.asarray([each.learning_rate for each in members], jnp.float32)
            slots.append(stacked)
        rates: list[list[np.ndarray]] = []
        for each in members:
            self._device.rates.assign(each)
            rates.append([np.asarray(variable) for variable in self._device.rate_variables[:-1]])
        state: State = {
            "trainable": [by_variable[id(variable)] for variable in self._device.trainable],
            "other": [by_variable[id(variable)] for variable in self._device.other],
            "slots": slots,
            "first_loss": jnp.zeros(len(members), jnp.float32),
            "step": jnp.uint32(0),
        }
        fixed: State = {
            "rates": [jnp.asarray(np.stack(column)) for column in zip(*rates, strict=True)],
            "optimizer": jnp.asarray([pack.optimizers.index(each.optimizer) for each in members]),
            "clipping": jnp.asarray([limit_of(each) for each in members]),
            "blocks": {
                "keys": {
                    name: jnp.asarray(np.stack([streams.key(block, name) for block in blocks]))
                    for name in ("noise", "augmentation")
                },
                "noise": jnp.asarray([block.input_noise for block in blocks], jnp.float32),
                "changes": jnp.asarray([len(batches.CHANGES[block.augmentation]) for block in blocks]),
            },
        }
        return state, fixed

    def _batches(
        self, pack: Pack, epoch: int, mixing: np.ndarray | None = None
    ) -> tuple[jax.Array, jax.Array, jax.Array | None]:
        """Return rows, mixing coefficients and, where they move, learning rates of an epoch.

        Their shapes are (steps, blocks, batch), (steps, blocks) and (steps, members).
        """
        blocks = pack.members[: pack.blocks]
        size, examples = self.program.batch_size, len(self.dataset.train.x)
        orders = {
            block: batches.epoch_order(streams.key(block, "order"), epoch, examples, size)
            for block in dict.fromkeys(blocks)
        }
        order = np.stack([orders[block] for block in blocks], axis=1)
        part = slice(epoch * self._steps, (epoch + 1) * self._steps)
        coefficients = np.ones((self._steps, len(blocks)), np.float32) if mixing is None else mixing[part]
        rates = [learning_rates(each, epoch, self._steps) for each in pack.members if pack.scheduled]
        moving = jnp.asarray(np.stack(rates, axis=1)) if rates else None
        return jnp.asarray(order), jnp.asarray(coefficients), moving

    def _mixing(self, pack: Pack) -> np.ndarray | None:
        """Return the mixing coefficients of all steps, (steps of all epochs, blocks); None without any."""
        if not self.program.mixed:
            return None
        blocks, steps = pack.members[: pack.blocks], pack.epochs * self._steps
        drawn = {
            block: batches.mixing_coefficients(block, steps) if block.mixup else np.ones(steps, np.float32)
            for block in dict.fromkeys(blocks)
        }
        return np.stack([drawn[block] for block in blocks], axis=1)

    def _images(self, pack: Pack, name: str) -> np.ndarray:
        """Return the images of a cut, with a first axis for blocks where each has its own noise."""
        cut: datasets.Cut = getattr(self.dataset, name)
        if not pack.noisy_scores:
            return cut.x
        if name == "train":
            return np.broadcast_to(cut.x, (pack.blocks, *cut.x.shape))
        number = ("validation", "test").index(name)
        blocks = pack.members[: pack.blocks]
        copies = {block: batches.noisy_copy(cut.x, block, number) for block in dict.fromkeys(blocks)}
        return np.stack([copies[block] for block in blocks])

    def _evaluate(self, weights: State, images: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean cross-entropy (nats) and accuracy (points), float64, each of shape (members,)."""
        noisy = images.ndim > 4
        sums: list[tuple[np.ndarray, np.ndarray]] = []
        for start in range(0, len(y), self._chunk):
            part = slice(start, start + self._chunk)
            missing = self._chunk - len(y[part])
            filling = [(0, 0)] * noisy + [(0, missing)] + [(0, 0)] * 3
            x = np.pad(images[:, part] if noisy else images[part], filling)
            labels, counted = np.pad(y[part], (0, missing)), np.arange(self._chunk) < len(y[part])
            loss, hits = self._scored(weights, x, labels, counted)
            sums.append((np.asarray(loss, np.float64), np.asarray(hits, np.float64)))
        losses, hits = (np.sum(each, axis=0) for each in zip(*sums, strict=True))
        return losses / len(y), 100.0 * hits / len(y)

    def train(self, pack: Pack) -> Iterator[TrainingResult]:
        """Train a pack and score the checkpoint of each member.

        Raises
        ------
        MemoryError
            If the pack needs more than there is; nothing was trained then.
        """
        started = time.perf_counter()
        needed, free = self._needed_bytes(pack), _free_device_bytes()
        if needed > free:
            raise MemoryError(f"needs {needed / 2**20:,.0f} MiB, and {free / 2**20:,.0f} MiB are free")
        build_seconds, self._build_seconds = self._build_seconds, 0.0
        state, fixed = self._begin(pack)
        mixing = self._mixing(pack)
        card, validation = self.dataset.card, self.dataset.validation
        images = self._images(pack, "validation")
        limit = chance_limit(card.classes, len(validation.x))
        curves = [Curve(each, limit) for each in pack.members]
        best = None
        for epoch in range(pack.epochs):
            state, seen = self._epoch(state, fixed, self._data, *self._batches(pack, epoch, mixing))
            weights = {name: state[name] for name in ("trainable", "other")}
            losses, accuracies = self._evaluate(weights, images, validation.y)
            seen = {name: np.asarray(values, np.float64) for name, values in seen.items()}
            scored = [
                not curve.diverged
                and curve.add(
                    first_loss=seen["first_loss"][i],
                    train={"loss": seen["loss"][i], "accuracy": 100.0 * seen["accuracy"][i]},
                    validation={"loss": losses[i], "accuracy": accuracies[i]},
                    finite=bool(seen["finite"][i]),
                )
                for i, curve in enumerate(curves)
            ]
            best = _kept(best or weights, weights, np.asarray(scored)) if pack.best else weights
            self._report(EpochDone(trainings=len(pack.trainings), epoch=epoch + 1, epochs=pack.epochs))
            if all(curve.diverged for curve in curves):
                break
        seconds = (time.perf_counter() - started) / len(pack.trainings)
        metrics = {}
        for name in ("train", "test"):
            scores = self._evaluate(best, self._images(pack, name), getattr(self.dataset, name).y)
            metrics |= zip((f"{name}_loss", f"{name}_accuracy"), scores, strict=True)
        place = {each: i for i, each in reversed(list(enumerate(pack.members)))}
        for number, training in enumerate(pack.trainings):
            curve = curves[place[training]]
            values = {name: float(scores[place[training]]) for name, scores in metrics.items()}
            examples = len(curve.values["train_loss"]) * self._steps * self.program.batch_size
            yield TrainingResult(
                digest=training.digest,
                status=Status.DIVERGED if curve.diverged else Status.OK,
                reason=curve.diverged,
                metrics={} if curve.diverged else curve.checkpoint_scores | values,
                curve={name: tuple(values) for name, values in curve.values.items()},
                checkpoint_epoch=None if curve.diverged else curve.checkpoint_epoch,
                seconds=seconds,
                build_seconds=build_seconds if number == 0 else 0.0,
                examples_per_second=examples / seconds,
                peak_memory_mib=_peak_memory_mib(),
            )


@jax.jit
def _kept(best: State, new: State, mask: Any) -> State:
    """Return `new` for the members in `mask` and `best` for the others."""
    return jax.tree.map(lambda b, n: jnp.where(mask.reshape(-1, *[1] * (n.ndim - 1)), n, b), best, new)


def _compiled_alike(pack: Pack) -> tuple[str, int]:
    return pack.shape, pack.blocks


def is_out_of_memory(error: Exception) -> bool:
    """Return whether memory ran out; XLA says so in words, with one error class for everything."""
    words = ("RESOURCE_EXHAUSTED", "Out of memory")
    return isinstance(error, MemoryError) or (
        isinstance(error, jax.errors.JaxRuntimeError) and any(word in str(error) for word in words)
    )


def _free_device_bytes() -> int:
    """Return the free memory of the device that trains."""
    stats = jax.devices()[0].memory_stats()
    return stats["bytes_limit"] - stats["bytes_in_use"] if stats else free_bytes()


def _peak_memory_mib() -> float:
    """Return the process's peak resident memory, or the peak memory of a device with its own."""
    stats = jax.devices()[0].memory_stats()
    if stats:
        return stats["peak_bytes_in_use"] / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
