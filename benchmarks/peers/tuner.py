"""The same trainings with KerasTuner's grid search: tuner.py FOLDER, see plain.py."""

# pyright: reportMissingImports=false, reportArgumentType=false

import json
from typing import Any

import keras
import keras_tuner
from given import DATA, FOLDER, TRAININGS, network

SCORES: dict[int, float] = {}


class Rows(keras_tuner.HyperModel):
    """A row of the list of trainings as the only hyperparameter."""

    def build(self, hp: Any) -> keras.Model:
        """Return the compiled network of a row."""
        return network(TRAININGS[hp.Choice("row", list(range(len(TRAININGS))))])

    def fit(self, hp: Any, model: keras.Model, *arguments: Any, **options: Any) -> Any:
        """Train a row for its own epochs and batch size, and score it."""
        row = hp.get("row")
        training = TRAININGS[row]
        options |= {"batch_size": training["batch_size"], "epochs": training["epochs"]}
        history = model.fit(*arguments, **options)
        SCORES[row] = 100.0 * model.evaluate(DATA["x_test"], DATA["y_test"], verbose=0)[1]
        return history


def main() -> None:
    """Search the whole grid."""
    if not TRAININGS:  # only the time to get here is wanted
        (FOLDER / "scores.json").write_text("[]", encoding="utf-8")
        return
    search = keras_tuner.GridSearch(
        Rows(), objective="val_accuracy", max_trials=len(TRAININGS), directory=FOLDER, project_name="rows"
    )
    search.search(
        DATA["x_train"],
        DATA["y_train"],
        validation_data=(DATA["x_validation"], DATA["y_validation"]),
        verbose=0,
    )
    (FOLDER / "scores.json").write_text(json.dumps([SCORES[row] for row in sorted(SCORES)]), encoding="utf-8")


if __name__ == "__main__":
    main()
