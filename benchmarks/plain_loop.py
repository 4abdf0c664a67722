"""The yardstick: a sweep against a plain loop over the same trainings, python benchmarks/plain_loop.py.

The plain loop is what the tutorials of Optuna, Keras and MLflow show together: `study.optimize` with an
objective that builds a Sequential model, compiles it, calls `fit` with validation data and evaluates, inside
an MLflow run with the Keras callback. It trains the same settings on the same data for as many epochs, but
with a model of its own each time, its own random numbers and TensorFlow's default threads.

Each side is a process of its own, timed as a whole; `--repeats` runs them in turn, and the ratio is of each
pair. Prints Markdown.
"""

# Keras and MLflow declare no argument types; what pyright infers from their defaults is wrong.
# pyright: reportArgumentType=false, reportOptionalMemberAccess=false, reportPrivateImportUsage=false

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPEC = Path("sweeps/quickstart.toml")


def plain(spec_path: Path, configurations: int, folder: Path) -> None:
    """Train every setting of the design in a plain loop."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import mlflow
    import optuna

    from study import datasets
    from sweeps import design
    from sweeps.spec import load

    spec = load(spec_path).model_copy(update={"configurations": configurations})
    data = datasets.load(spec.dataset, None, spec.train_size)
    planned = [item.training for item in design.trainings(spec)]
    mlflow.set_tracking_uri(f"sqlite:///{folder / 'mlflow.db'}")
    mlflow.create_experiment("plain", artifact_location=(folder / "artifacts").as_uri())
    mlflow.set_experiment("plain")
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    def objective(trial: optuna.Trial) -> float:
        training = planned[trial.suggest_int("row", 0, len(planned) - 1)]
        arguments = dict(training.architecture_arguments)
        penalty = keras.regularizers.L2(training.regularizer_strength)
        layers = [keras.layers.Input(data.card.input_shape), keras.layers.Flatten()]
        for _ in range(int(arguments["depth"]) - 1):
            layers.append(
                keras.layers.Dense(
                    int(arguments["width"]),
                    activation=training.activation,
                    kernel_initializer=training.initializer,
                    kernel_regularizer=penalty if training.regularizer == "l2" else None,
                )
            )
        model = keras.Sequential([*layers, keras.layers.Dense(data.card.classes)])
        optimizer = keras.optimizers.get({"class_name": training.optimizer, "config": {}})
        optimizer.learning_rate = training.learning_rate
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
        with mlflow.start_run():
            mlflow.log_params({"activation": training.activation, **arguments})
            model.fit(
                data.train.x,
                data.train.y,
                batch_size=training.batch_size,
                epochs=training.epochs,
                validation_data=(data.validation.x, data.validation.y),
                callbacks=[mlflow.keras.MlflowCallback()],
                verbose=0,
            )
            accuracy = 100.0 * model.evaluate(data.test.x, data.test.y, verbose=0)[1]
            mlflow.log_metric("test_accuracy", accuracy)
        return accuracy

    study = optuna.create_study(storage=f"sqlite:///{folder / 'optuna.db'}", direction="maximize")
    for row in range(len(planned)):
        study.enqueue_trial({"row": row})
    study.optimize(objective, n_trials=len(planned))
    assert len(study.trials) == len(planned)


def timed(*command: str) -> float:
    """Return the seconds a command takes, from its start to its end."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - started


def main() -> None:
    """Time both sides in turn and print the ratio of each pair."""
    parser = argparse.ArgumentParser(description="Time a plain loop and the sweep over the same trainings.")
    parser.add_argument("--configurations", type=int, default=60)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--plain", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.plain:
        plain(SPEC, arguments.configurations, arguments.plain)
        return
    from study.environment import processor
    from sweeps import design
    from sweeps.spec import load

    spec = load(SPEC).model_copy(update={"configurations": arguments.configurations})
    trainings = len(design.trainings(spec))
    print(f"{trainings} trainings of {SPEC}; {processor()}, {os.cpu_count()} cores.\n")
    print("| run | plain loop, s | sweep, s | ratio | plain, s a training | sweep, s a training |")
    print("|---:|---:|---:|---:|---:|---:|", flush=True)
    for number in range(1, arguments.repeats + 1):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            text = SPEC.read_text(encoding="utf-8")
            text = text.replace("configurations = 60", f"configurations = {arguments.configurations}")
            (folder / "quickstart.toml").write_text(text, encoding="utf-8")
            sides = {
                "sweep": ("-m", "mishstudy", "sweep", f"{name}/quickstart.toml", "--home", f"{name}/home"),
                "plain": (__file__, "--plain", name, "--configurations", str(arguments.configurations)),
            }
            order = sorted(sides, reverse=number % 2 == 0)
            seconds = {side: timed(sys.executable, *sides[side]) for side in order}
        print(
            f"| {number} | {seconds['plain']:.0f} | {seconds['sweep']:.0f} "
            f"| {seconds['plain'] / seconds['sweep']:.1f} "
            f"| {seconds['plain'] / trainings:.2f} | {seconds['sweep'] / trainings:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
