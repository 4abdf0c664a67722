"""What the tutorials of Optuna, Keras and MLflow show together, over given trainings: plain.py FOLDER.

`study.optimize` with an objective that builds a Sequential model, compiles it, calls `fit` with validation
data and evaluates, inside an MLflow run with the Keras callback. FOLDER holds `trainings.json` and
`data.npz`; the test accuracies go to `scores.json` there.
"""

# pyright: reportArgumentType=false, reportPrivateImportUsage=false

import json

import mlflow
import optuna
from given import DATA, FOLDER, TRAININGS, network


def main() -> None:
    """Train every row once."""
    mlflow.set_tracking_uri(f"sqlite:///{FOLDER / 'mlflow.db'}")
    mlflow.create_experiment("plain", artifact_location=(FOLDER / "artifacts").as_uri())
    mlflow.set_experiment("plain")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    scores: dict[int, float] = {}

    def objective(trial: optuna.Trial) -> float:
        row = trial.suggest_int("row", 0, len(TRAININGS) - 1)
        training = TRAININGS[row]
        model = network(training)
        with mlflow.start_run():
            mlflow.log_params({"activation": training["activation"], **training["architecture_arguments"]})
            model.fit(
                DATA["x_train"],
                DATA["y_train"],
                batch_size=training["batch_size"],
                epochs=training["epochs"],
                validation_data=(DATA["x_validation"], DATA["y_validation"]),
                callbacks=[mlflow.keras.MlflowCallback()],
                verbose=0,
            )
            scores[row] = 100.0 * model.evaluate(DATA["x_test"], DATA["y_test"], verbose=0)[1]
            mlflow.log_metric("test_accuracy", scores[row])
        return scores[row]

    study = optuna.create_study(storage=f"sqlite:///{FOLDER / 'optuna.db'}", direction="maximize")
    for row in range(len(TRAININGS)):
        study.enqueue_trial({"row": row})
    study.optimize(objective, n_trials=len(TRAININGS))
    (FOLDER / "scores.json").write_text(json.dumps([scores[row] for row in sorted(scores)]), encoding="utf-8")


if __name__ == "__main__":
    main()
