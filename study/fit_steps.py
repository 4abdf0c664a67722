"""The training step of the reference engine: a network with its data on the device, fed numbers of steps."""

# Keras declares no argument types; what pyright infers from its defaults is wrong.
# pyright: reportArgumentType=false, reportOperatorIssue=false, reportOptionalOperand=false

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from study import batches, datasets
from study.clipping import clipped
from study.layers import Rates
from study.objectives import Objective
from study.programs import Program
from study.tasks import kinds


class StudyModel(keras.Model):
    """A network with its data on the device; `fit` is fed the numbers of the steps."""

    def __init__(
        self,
        program: Program,
        network: keras.Model,
        rates: Rates,
        train: datasets.Cut,
        objective: Objective,
    ) -> None:
        super().__init__()
        self.program = program
        self.network = network
        self.rates = rates
        self.traces = 0
        steps = len(train.x) // program.batch_size
        self.objective = objective
        self._x = tf.constant(train.x)
        self._y = tf.constant(train.y)
        self.order = tf.Variable(tf.zeros((steps, program.batch_size), tf.int32), trainable=False)
        self.coefficients = tf.Variable(tf.ones((steps,)), trainable=False)
        self.learning_rates = tf.Variable(tf.zeros((steps,)), trainable=False)
        self.clipping = tf.Variable(np.inf, dtype=tf.float32, trainable=False)
        self.noise = tf.Variable(0.0, trainable=False)
        self.keys = {
            name: tf.Variable(tf.zeros((2,), tf.uint32), trainable=False)
            for name in ("noise", "augmentation")
        }
        self.first_loss = tf.Variable(0.0, trainable=False)
        self.means: list[keras.metrics.Metric] = [
            keras.metrics.Mean(name=kind) for kind in kinds(objective.task)
        ]

    @property
    def metrics(self) -> list[keras.metrics.Metric]:
        """Metrics that Keras resets at the start of each epoch."""
        return self.means

    def build(self, input_shape: Any = None) -> None:
        """Do nothing: the network is built already."""
        del input_shape
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Return logits."""
        return self.network(inputs, training=training)

    def batch(self, step: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Return inputs and targets of step `step` of this epoch, perturbed as the program says."""
        rows = self.order[step]
        x = tf.gather(self._x, rows)
        y = self.objective.targets(tf.gather(self._y, rows))
        x, y = self._augmented(x, y)
        if self.program.noisy:
            x = batches.add_noise(x, self.noise, self.keys["noise"], self.rates.step, ops)
        if self.program.mixed:
            coefficient = self.coefficients[step]
            x, y = batches.mix(x, coefficient, ops), batches.mix(y, coefficient, ops)
        return x, y

    def _augmented(self, x: tf.Tensor, y: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Move the images, and masks with them."""
        masks = [y] if self.objective.task == "segmentation" else []
        together = tf.concat([x, *masks], axis=-1) if masks else x
        moved = batches.augment(
            together, self.program.augmentation, self.keys["augmentation"], self.rates.step, ops
        )
        return (moved[..., :-1], moved[..., -1:]) if masks else (moved, y)

    def train_step(self, data: tf.Tensor) -> dict[str, Any]:
        """Take one optimizer step."""
        self.traces += 1
        x, y = self.batch(data)
        with tf.GradientTape() as tape:
            logits = self.network(x, training=True)
            loss, *scores = self.objective.batch(y, logits)
            total = tf.add_n([self.objective.minimized(y, logits, loss), *self.network.losses])
        variables = self.trainable_variables
        self.first_loss.assign(tf.where(self.rates.step.value == 0, loss, self.first_loss))
        gradients = tape.gradient(total, variables)
        if self.program.clipping:
            gradients = clipped(gradients, self.clipping, ops)
        self.optimizer.learning_rate.assign(self.learning_rates[data])
        self.optimizer.apply(gradients, variables)
        self.rates.step.assign_add(tf.constant(1, tf.uint32))
        for mean, value in zip(self.means, (loss, *scores), strict=True):
            mean.update_state(value)
        return {mean.name: mean.result() for mean in self.means}
