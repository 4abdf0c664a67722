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

import os
import resource
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

os.environ["KERAS_BACKEND"] = "jax"

import jax
import jax.numpy as jnp
import keras
from jax.custom_batching import custom_vmap
from keras import ops

from study import activations, architectures, batches, datasets, optimizers, streams
from study.curve import Curve
from study.initial_values import draw, schemes_of
from study.layers import Rates
from study.packing import Pack
from study.training import Status, TrainingResult

ENGINE = "population"

JIT_COMPILE = True

_EVALUATION_BATCH = 1024

State = dict[str, Any]
"""What a pack carries from step to step; every leaf has the members as its first axis."""


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
    keras.config.set_floatx("float32")
    device = jax.devices()[0]
    return "cpu" if device.platform == "cpu" else device.device_kind


def sliced(names: Sequence[str], size: int) -> Any:
    """Return a function that applies one activation to each slice of a pack's members.

    Parameters
    ----------
    names : sequence of str
        Activations; the `i`-th is applied to the members from `i * size` on.
    size : int
        Members of a slice.

    Returns
    -------
    callable
        Tensor to tensor; under `jax.vmap` over all members. Saves only its input for the gradient.
    """
    functions = [activations.get(name) for name in names]

    def over_slices(apply: Any) -> Any:
        """Return `apply(function, *arrays)` as a function of arrays that a `vmap` splits into slices."""

        @custom_vmap
        def alone(*arrays: jax.Array) -> jax.Array:
            return apply(functions[0], *arrays)

        @alone.def_vmap
        def _(axis_size: int, batched: Sequence[bool], *arrays: jax.Array) -> tuple[jax.Array, bool]:
            assert axis_size == size * len(functions)
            whole = [
                array if is_batched else jnp.broadcast_to(array, (axis_size, *array.shape))
                for array, is_batched in zip(arrays, batched, strict=True)
            ]
            parts = [
                apply(function, *(array[i * size : (i + 1) * size] for array in whole))
                for i, function in enumerate(functions)
            ]
            return jnp.concatenate(parts), True

        return alone

    forward = over_slices(lambda function, x: function(x))
    backward = over_slices(lambda function, x, upstream: jax.vjp(function, x)[1](upstream)[0])

    @jax.custom_vjp
    def activation(x: jax.Array) -> jax.Array:
        return forward(x)

    activation.defvjp(lambda x: (forward(x), x), lambda x, upstream: (backward(x, upstream),))

    def dispatched(x: Any) -> Any:
        """Apply to an array; a symbolic tensor, while the network is built, keeps its shape."""
        return functions[0](x) if isinstance(x, keras.KerasTensor) else activation(x)

    return dispatched


class PopulationEngine:
    """Trains packs; keeps the last compiled program and the last data set.

    Parameters
    ----------
    data : Path or None
        Folder with data sets.
    """

    def __init__(self, data: Path | None = None) -> None:
        self._data = data
        self._dataset: tuple[tuple[str, int | None], datasets.Dataset] | None = None
        self._compiled: CompiledPopulation | None = None

    def load(self, dataset: str, train_size: int | None) -> datasets.Dataset:
        """Return a data set, loading it where it is not the last one used.

        Raises
        ------
        InputError
            If it is missing, damaged or not what it should be.
        """
        if self._dataset is None or self._dataset[0] != (dataset, train_size):
            self._dataset = None
            self._dataset = (
                (dataset, train_size),
                datasets.load(dataset, self._data, train_size=train_size),
            )
        return self._dataset[1]

    def train(self, pack: Pack) -> Iterator[TrainingResult]:
        """Train all members of a pack at once.

        Yields
        ------
        TrainingResult
            In the order of `pack.trainings`.
        """
        build_seconds = 0.0
        if self._compiled is None or not self._compiled.serves(pack):
            started = time.perf_counter()
            self._compiled = None
            self._compiled = CompiledPopulation(
                pack, self.load(pack.program.dataset, pack.program.train_size)
            )
            build_seconds = time.perf_counter() - started
        yield from self._compiled.train(pack, build_seconds)


class CompiledPopulation:
    """One compiled program for all packs of its shape.

    Parameters
    ----------
    pack : Pack
        Any of those packs.
    dataset : Dataset
        Its cuts stay on the device.
    """

    def __init__(self, pack: Pack, dataset: datasets.Dataset) -> None:
        self._shape = _shape(pack)
        self.dataset = dataset
        self.program = program = pack.program
        self._repeats = len(pack.activations)
        card = dataset.card
        self._rates = Rates(dropping=program.dropping)
        self._network = architectures.build(
            program, card.input_shape, card.classes, sliced(pack.activations, pack.blocks), self._rates
        )
        self._schemes = schemes_of(self._network)
        self._rate_variables = self._rates.variables
        known = {id(variable) for variable in self._rate_variables}
        self._trainable = self._network.trainable_variables
        self._other = [v for v in self._network.non_trainable_variables if id(v) not in known]
        self._optimizers = [optimizers.build(name) for name in pack.optimizers]
        for optimizer in self._optimizers:
            optimizer.build(self._trainable)
        self._starts = [[np.asarray(v) for v in optimizer.variables] for optimizer in self._optimizers]
        self._steps = len(dataset.train.x) // program.batch_size
        self._x = jnp.asarray(dataset.train.x)
        self._y = jnp.asarray(dataset.train.y)
        self._cuts = {name: _chunks(getattr(dataset, name)) for name in ("train", "validation", "test")}
        self._noisy_scores = pack.noisy_scores
        state, fixed = self._begin(pack)
        epoch = jax.jit(self._run_epoch, donate_argnums=0)
        self._epoch = epoch.lower(state, fixed, *self._batches(pack, 0)).compile()
        weights = {name: state[name] for name in ("trainable", "other")}
        self._scores = {
            name: jax.jit(jax.vmap(partial(self._score, name))).lower(weights, fixed["scored"]).compile()
            for name in self._cuts
        }

    def serves(self, pack: Pack) -> bool:
        """Return whether `pack` has the shape that is compiled here."""
        return _shape(pack) == self._shape

    # What happens on the device: pure functions of arrays.

    def _call(
        self, trainable: Any, other: Any, rates: Any, x: Any, *, training: bool
    ) -> tuple[Any, Any, Any]:
        """Return logits, the sum of the penalties, and the new values of the other variables."""
        values = [
            *zip(self._trainable, trainable, strict=True),
            *zip(self._other, other, strict=True),
            *zip(self._rate_variables, rates, strict=True),
        ]
        with keras.StatelessScope(values, collect_losses=True) as scope:
            logits = self._network(x, training=training)
            penalties = self._network.losses if training else []
        new = [scope.get_current_value(v) for v in self._other]
        new = [old if value is None else value for old, value in zip(other, new, strict=True)]
        return logits, sum(penalties, jnp.float32(0.0)), new

    def _batch(self, rows: Any, coefficient: Any, keys: Any, noise: Any, step: Any) -> tuple[Any, Any]:
        """Return inputs and one-hot targets of a block."""
        x = self._x[rows]
        y = jax.nn.one_hot(self._y[rows], self.dataset.card.classes)
        x = batches.augment(x, self.program.augmentation, keys["augmentation"], step, ops)
        if self.program.noisy:
            x = batches.add_noise(x, noise, keys["noise"], step, ops)
        if self.program.mixed:
            x, y = batches.mix(x, coefficient, ops), batches.mix(y, coefficient, ops)
        return x, y

    def _step(self, state: State, fixed: State, x: Any, y: Any, step: Any) -> tuple[State, tuple[Any, Any]]:
        """Take one optimizer step of one member."""
        rates = [*fixed["rates"], step]

        def objective(trainable: Any) -> tuple[Any, tuple[Any, Any, Any]]:
            logits, penalty, other = self._call(trainable, state["other"], rates, x, training=True)
            loss = jnp.mean(-jnp.sum(y * jax.nn.log_softmax(logits), axis=1))
            hits = jnp.mean((jnp.argmax(logits, axis=1) == jnp.argmax(y, axis=1)).astype(jnp.float32))
            return loss + penalty, (loss, hits, other)

        gradients, (loss, hits, other) = jax.grad(objective, has_aux=True)(state["trainable"])
        trainable = state["trainable"]
        slots = []
        for number, optimizer in enumerate(self._optimizers):
            new, slot = optimizer.stateless_apply(state["slots"][number], gradients, state["trainable"])
            chosen = fixed["optimizer"] == number
            trainable = [jnp.where(chosen, a, b) for a, b in zip(new, trainable, strict=True)]
            slots.append(slot)
        first = jnp.where(step == 0, loss, state["first_loss"])
        new_state = {"trainable": trainable, "other": other, "slots": slots, "first_loss": first}
        return new_state, (loss, hits)

    def _run_epoch(self, state: State, fixed: State, order: Any, coefficients: Any) -> tuple[State, State]:
        """Run one epoch of all members and score them on the validation cut."""
        members = {name: state[name] for name in ("trainable", "other", "slots", "first_loss")}

        def body(
            carry: tuple[State, Any], batch: tuple[Any, Any]
        ) -> tuple[tuple[State, Any], tuple[Any, Any]]:
            members, step = carry
            prepare = jax.vmap(self._batch, in_axes=(0, 0, 0, 0, None))
            x, y = prepare(*batch, fixed["keys"], fixed["noise"], step)
            x, y = (jnp.concatenate([array] * self._repeats) for array in (x, y))
            per_member = {"rates": fixed["rates"], "optimizer": fixed["optimizer"]}
            train = jax.vmap(self._step, in_axes=(0, 0, 0, 0, None))
            members, measured = train(members, per_member, x, y, step)
            return (members, step + jnp.uint32(1)), measured

        (members, step), (losses, hits) = jax.lax.scan(body, (members, state["step"]), (order, coefficients))
        weights = {name: members[name] for name in ("trainable", "other")}
        finite = jnp.ones(losses.shape[1], bool)
        for leaf in jax.tree.leaves(weights):
            finite &= jnp.all(jnp.isfinite(leaf.reshape(len(leaf), -1)), axis=1)
        validation = jax.vmap(partial(self._score, "validation"))(weights, fixed["scored"])
        seen = {
            "loss": losses.mean(axis=0),
            "accuracy": hits.mean(axis=0),
            "finite": finite,
            "first_loss": members["first_loss"],
            "validation": validation,
        }
        return {**members, "step": step}, seen

    def _score(self, name: str, weights: State, noise: Any) -> tuple[Any, Any]:
        """Return the summed cross-entropy (nats) and the number of hits of one member on a cut."""
        x, y, counted = self._cuts[name]
        if self._noisy_scores and name != "train":
            counter = jnp.uint32(2**32 - 1 - ("validation", "test").index(name))
            count = len(getattr(self.dataset, name).x)
            drawn = streams.normal(noise["key"], counter, count * x[0, 0].size, xp=ops)
            padded = jnp.zeros(x.size, jnp.float32).at[: drawn.size].set(drawn)
            x = x + noise["deviation"] * padded.reshape(x.shape)

        def body(sums: tuple[Any, Any], chunk: tuple[Any, Any, Any]) -> tuple[tuple[Any, Any], None]:
            x, y, counted = chunk
            rates = [jnp.zeros(v.shape, v.dtype) for v in self._rate_variables]
            logits, _, _ = self._call(weights["trainable"], weights["other"], rates, x, training=False)
            losses = -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1)[:, 0]
            hits = (jnp.argmax(logits, axis=1) == y) & counted
            return (sums[0] + jnp.sum(jnp.where(counted, losses, 0.0)), sums[1] + jnp.sum(hits)), None

        return jax.lax.scan(body, (jnp.float32(0.0), jnp.int32(0)), (x, y, counted))[0]

    # What happens on the host.

    def _begin(self, pack: Pack) -> tuple[State, State]:
        """Return what a pack starts from, and what stays fixed while it is trained."""
        members, blocks = pack.members, pack.members[: pack.blocks]
        drawn = {block: draw(self._schemes, block) for block in dict.fromkeys(blocks)}
        values = [
            jnp.asarray(np.stack([drawn[block][i] for block in blocks] * self._repeats))
            for i in range(len(self._schemes))
        ]
        by_variable = dict(zip((id(variable) for variable, _ in self._schemes), values, strict=True))
        slots = []
        for optimizer, start in zip(self._optimizers, self._starts, strict=True):
            rate = next(i for i, v in enumerate(optimizer.variables) if v is optimizer._learning_rate)
            stacked = [jnp.asarray(np.stack([value] * len(members))) for value in start]
            stacked[rate] = jnp.asarray([each.learning_rate for each in members], jnp.float32)
            slots.append(stacked)
        rates: list[list[np.ndarray]] = []
        for each in members:
            self._rates.assign(each)
            rates.append([np.asarray(variable) for variable in self._rate_variables[:-1]])
        state: State = {
            "trainable": [by_variable[id(variable)] for variable in self._trainable],
            "other": [by_variable[id(variable)] for variable in self._other],
            "slots": slots,
            "first_loss": jnp.zeros(len(members), jnp.float32),
            "step": jnp.uint32(0),
        }
        fixed: State = {
            "rates": [jnp.asarray(np.stack(column)) for column in zip(*rates, strict=True)],
            "optimizer": jnp.asarray([pack.optimizers.index(each.optimizer) for each in members]),
            "keys": {
                name: jnp.asarray(np.stack([streams.key(block, name) for block in blocks]))
                for name in ("noise", "augmentation")
            },
            "noise": jnp.asarray([block.input_noise for block in blocks], jnp.float32),
            "scored": {
                "key": jnp.asarray(np.stack([streams.key(each, "noise") for each in members])),
                "deviation": jnp.asarray([each.input_noise for each in members], jnp.float32),
            },
        }
        return state, fixed

    def _batches(self, pack: Pack, epoch: int) -> tuple[jax.Array, jax.Array]:
        """Return rows and mixing coefficients of an epoch: (steps, blocks, batch), (steps, blocks)."""
        blocks = pack.members[: pack.blocks]
        size, examples = self.program.batch_size, len(self.dataset.train.x)
        orders = {
            block: batches.epoch_order(streams.key(block, "order"), epoch, examples, size)
            for block in dict.fromkeys(blocks)
        }
        order = np.stack([orders[block] for block in blocks], axis=1)
        mixing = np.ones((self._steps, len(blocks)), np.float32)
        if self.program.mixed:
            first = epoch * self._steps
            for i, block in enumerate(blocks):
                whole = batches.mixing_coefficients(block, pack.epochs * self._steps)
                mixing[:, i] = whole[first : first + self._steps]
        return jnp.asarray(order), jnp.asarray(mixing)

    def train(self, pack: Pack, build_seconds: float = 0.0) -> Iterator[TrainingResult]:
        """Train a pack and score the checkpoint of each member."""
        started = time.perf_counter()
        state, fixed = self._begin(pack)
        card, validation = self.dataset.card, len(self.dataset.validation.x)
        curves = [Curve(each, card.classes, validation) for each in pack.members]
        best = {name: state[name] for name in ("trainable", "other")}
        for epoch in range(pack.epochs):
            state, seen = self._epoch(state, fixed, *self._batches(pack, epoch))
            seen = jax.tree.map(np.asarray, seen)
            scored = [
                not curve.diverged
                and curve.add(
                    first_loss=float(seen["first_loss"][i]),
                    loss=float(seen["loss"][i]),
                    accuracy=100.0 * float(seen["accuracy"][i]),
                    finite=bool(seen["finite"][i]),
                    validation_loss=float(seen["validation"][0][i]) / validation,
                    validation_accuracy=100.0 * int(seen["validation"][1][i]) / validation,
                )
                for i, curve in enumerate(curves)
            ]
            weights = {name: state[name] for name in ("trainable", "other")}
            best = _kept(best, weights, np.asarray(scored)) if pack.best else weights
            if all(curve.diverged for curve in curves):
                break
        seconds = (time.perf_counter() - started) / len(pack.trainings)
        scores = {name: score(best, fixed["scored"]) for name, score in self._scores.items()}
        metrics = {name: _means(score, len(getattr(self.dataset, name).x)) for name, score in scores.items()}
        place = {each: i for i, each in reversed(list(enumerate(pack.members)))}
        for number, training in enumerate(pack.trainings):
            curve = curves[place[training]]
            examples = len(curve.values["train_loss"]) * self._steps * self.program.batch_size
            yield TrainingResult(
                digest=training.digest,
                status=Status.DIVERGED if curve.diverged else Status.OK,
                reason=curve.diverged,
                metrics={}
                if curve.diverged
                else {
                    f"{name}_{kind}": values[place[training]]
                    for name, pair in metrics.items()
                    for kind, values in zip(("loss", "accuracy"), pair, strict=True)
                },
                curve={name: tuple(values) for name, values in curve.values.items()},
                checkpoint_epoch=None if curve.diverged else curve.checkpoint_epoch,
                seconds=seconds,
                build_seconds=build_seconds if number == 0 else 0.0,
                examples_per_second=examples / seconds,
                peak_memory_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            )


def _means(sums: tuple[Any, Any], size: int) -> tuple[list[float], list[float]]:
    """Return mean cross-entropy (nats) and accuracy (points) of each member from what `_score` returned."""
    losses, hits = (np.asarray(each) for each in sums)
    return [float(loss) / size for loss in losses], [100.0 * int(count) / size for count in hits]


@jax.jit
def _kept(best: State, new: State, mask: Any) -> State:
    """Return `new` for the members in `mask` and `best` for the others."""
    return jax.tree.map(lambda b, n: jnp.where(mask.reshape(-1, *[1] * (n.ndim - 1)), n, b), best, new)


def _shape(pack: Pack) -> tuple[Any, ...]:
    return pack.program, pack.activations, pack.optimizers, pack.noisy_scores, pack.blocks


def _chunks(cut: datasets.Cut) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Return images, labels and which of them count and do not just fill up, in chunks of equal size."""
    size = min(_EVALUATION_BATCH, len(cut.x))
    count = -(-len(cut.x) // size)

    def chunked(array: np.ndarray) -> jax.Array:
        filled = np.zeros((count * size, *array.shape[1:]), array.dtype)
        filled[: len(array)] = array
        return jnp.asarray(filled.reshape(count, size, *array.shape[1:]))

    return chunked(cut.x), chunked(cut.y), chunked(np.ones(len(cut.x), bool))
