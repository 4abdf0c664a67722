"""What the Keras peers are given, and the network that they build for each training."""

# Keras declares no argument types; what pyright infers from its defaults is wrong.
# pyright: reportArgumentType=false, reportOptionalMemberAccess=false

import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np

FOLDER = Path(sys.argv[1])
TRAININGS: list[dict[str, Any]] = json.loads((FOLDER / "trainings.json").read_text(encoding="utf-8"))
DATA = dict(np.load(FOLDER / "data.npz"))


def network(training: dict[str, Any]) -> keras.Model:
    """Return the compiled network of a training."""
    penalty = keras.regularizers.L2(training["regularizer_strength"])
    layers = [keras.layers.Input(DATA["x_train"].shape[1:])]
    hidden = training["architecture_arguments"]["depth"] - 1
    if training["architecture"] == "convmlp":
        hidden -= 2
        for filters in (20, 50):
            layers.append(
                keras.layers.Conv2D(
                    filters,
                    5,
                    padding="same",
                    activation=training["activation"],
                    kernel_initializer=training["initializer"],
                )
            )
        layers.append(keras.layers.MaxPooling2D(2))
    layers.append(keras.layers.Flatten())
    for _ in range(hidden):
        layers.append(
            keras.layers.Dense(
                training["architecture_arguments"]["width"],
                activation=training["activation"],
                kernel_initializer=training["initializer"],
                kernel_regularizer=penalty if training["regularizer"] == "l2" else None,
            )
        )
    model = keras.Sequential([*layers, keras.layers.Dense(10)])
    optimizer = keras.optimizers.get({"class_name": training["optimizer"], "config": {}})
    optimizer.learning_rate = training["learning_rate"]
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    return model
