"""What happens on the device while a pack trains: pure functions of arrays, for JAX to compile.

One Keras network serves all members: its variables are replaced by the values of a member, and `jax.vmap`
runs the members side by side; `lax.scan` runs the steps of an epoch. Imported where the backend of Keras is
JAX.
"""

# Keras declares no argument types; what pyright infers from its defaults is wrong.
# pyright: reportArgumentType=false

from typing import Any

import jax
import jax.numpy as jnp
import keras
from keras import ops

from study import architectures, batches, optimizers
from study.clipping import clipped
from study.datacards import DataCard
from study.layers import Rates
from study.packing import Pack
from study.slices import sliced

State = dict[str, Any]
"""What a pack carries from step to step; every leaf has the members as its first axis."""


class Steps:
    """The functions of packs of one shape, and the Keras objects that they stand on.

    Attributes
    ----------
    network : keras.Model
        Shared by all members; its own values are never used.
    rates : Rates
        Likewise.
    trainable, other, rate_variables : list of keras.Variable
        The network's variables, in the order of a state's leaves.
    optimizers : list of keras.Optimizer
        In the order of `Pack.optimizers`.
    rate_places : list of int
        Where the learning rate stands among the variables of each.

    Parameters
    ----------
    pack : Pack
        Any pack of the shape.
    card : DataCard
        Of the data set.
    """

    def __init__(self, pack: Pack, card: DataCard) -> None:
        self._program = pack.program
        self._scheduled = pack.scheduled
        self._classes = card.classes
        self._repeats = len(pack.activations)
        self.rates = Rates(dropping=pack.program.dropping)
        activation = sliced(pack.activations, pack.blocks)
        self.network = architectures.build(
            pack.program, card.input_shape, card.classes, activation, self.rates
        )
        self.rate_variables = self.rates.variables
        known = {id(variable) for variable in self.rate_variables}
        self.trainable = self.network.trainable_variables
        self.other = [each for each in self.network.non_trainable_variables if id(each) not in known]
        self.optimizers = [optimizers.build(name) for name in pack.optimizers]
        for optimizer in self.optimizers:
            optimizer.build(self.trainable)
        self.rate_places = [
            next(i for i, v in enumerate(optimizer.variables) if v is optimizer._learning_rate)
            for optimizer in self.optimizers
        ]

    def _call(
        self, trainable: Any, other: Any, rates: Any, x: Any, *, training: bool
    ) -> tuple[Any, Any, Any]:
        """Return logits, the sum of the penalties, and the new values of the other variables."""
        values = [
            *zip(self.trainable, trainable, strict=True),
            *zip(self.other, other, strict=True),
            *zip(self.rate_variables, rates, strict=True),
        ]
        with keras.StatelessScope(values, collect_losses=True) as scope:
            logits = self.network(x, training=training)
            penalties = self.network.losses if training else []
        new = [scope.get_current_value(v) for v in self.other]
        new = [old if value is None else value for old, value in zip(other, new, strict=True)]
        return logits, sum(penalties, jnp.float32(0.0)), new

    def _batch(self, data: Any, rows: Any, coefficient: Any, block: State, step: Any) -> tuple[Any, Any]:
        """Return inputs and one-hot targets of a block."""
        x = data[0][rows]
        y = jax.nn.one_hot(data[1][rows], self._classes)
        for number, change in enumerate(batches.CHANGES[self._program.augmentation]):
            changed = change(x, block["keys"]["augmentation"], step, ops)
            x = jnp.where(number < block["changes"], changed, x)
        if self._program.noisy:
            x = batches.add_noise(x, block["noise"], block["keys"]["noise"], step, ops)
        if self._program.mixed:
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
        if self._program.clipping:
            gradients = clipped(gradients, fixed["clipping"], jnp)
        trainable = state["trainable"]
        slots = []
        for number, optimizer in enumerate(self.optimizers):
            slot = list(state["slots"][number])
            if self._scheduled:
                slot[self.rate_places[number]] = fixed["learning_rate"]
            new, slot = optimizer.stateless_apply(slot, gradients, state["trainable"])
            chosen = fixed["optimizer"] == number
            trainable = [jnp.where(chosen, a, b) for a, b in zip(new, trainable, strict=True)]
            slots.append(slot)
        first = jnp.where(step == 0, loss, state["first_loss"])
        new_state = {"trainable": trainable, "other": other, "slots": slots, "first_loss": first}
        return new_state, (loss, hits)

    def epoch(
        self, state: State, fixed: State, data: Any, order: Any, coefficients: Any, learning_rates: Any
    ) -> tuple[State, State]:
        """Run one epoch of all members; return where they are and what was seen."""
        members = {name: state[name] for name in ("trainable", "other", "slots", "first_loss")}

        def body(
            carry: tuple[State, Any], batch: tuple[Any, Any, Any]
        ) -> tuple[tuple[State, Any], tuple[Any, Any]]:
            members, step = carry
            rows, coefficient, learning_rate = batch
            prepare = jax.vmap(self._batch, in_axes=(None, 0, 0, 0, None))
            x, y = prepare(data, rows, coefficient, fixed["blocks"], step)
            x, y = (jnp.concatenate([array] * self._repeats) for array in (x, y))
            per_member = {name: fixed[name] for name in ("rates", "optimizer", "clipping")}
            per_member["learning_rate"] = learning_rate
            train = jax.vmap(self._step, in_axes=(0, 0, 0, 0, None))
            members, measured = train(members, per_member, x, y, step)
            return (members, step + jnp.uint32(1)), measured

        (members, step), (losses, hits) = jax.lax.scan(
            body, (members, state["step"]), (order, coefficients, learning_rates)
        )
        weights = {name: members[name] for name in ("trainable", "other")}
        finite = jnp.ones(losses.shape[1], bool)
        for leaf in jax.tree.leaves(weights):
            finite &= jnp.all(jnp.isfinite(leaf.reshape(len(leaf), -1)), axis=1)
        seen = {
            "loss": losses.mean(axis=0),
            "accuracy": hits.mean(axis=0),
            "finite": finite,
            "first_loss": members["first_loss"],
        }
        return {**members, "step": step}, seen

    def _score_one(self, weights: State, x: Any, y: Any, counted: Any) -> tuple[Any, Any]:
        """Return the summed cross-entropy (nats) and the number of hits of one member on a chunk."""
        rates = [jnp.zeros(v.shape, v.dtype) for v in self.rate_variables]
        logits, _, _ = self._call(weights["trainable"], weights["other"], rates, x, training=False)
        losses = -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1)[:, 0]
        hits = (jnp.argmax(logits, axis=1) == y) & counted
        return jnp.sum(jnp.where(counted, losses, 0.0)), jnp.sum(hits)

    def score(self, weights: State, images: Any, labels: Any, counted: Any) -> tuple[Any, Any]:
        """Score all members on a chunk, which has a first axis for blocks where the scores are noisy."""
        noisy = images.ndim > 4
        if noisy:
            images = jnp.concatenate([images] * self._repeats)
        score = jax.vmap(self._score_one, in_axes=(0, 0 if noisy else None, None, None))
        return score(weights, images, labels, counted)
