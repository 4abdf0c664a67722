"""What somebody else's script logs: a parent run, nested ones, some that fail. Takes a tracking URI."""

import sys

import mlflow


def train(act: str, layers: int, seed: int, score: float, end: str = "FINISHED") -> str:
    """Log one run, its metric over three epochs, and return its id."""
    run = mlflow.start_run(nested=True)
    out = f"{act}-{layers}-{seed}"
    mlflow.log_params({"act": act, "layers": layers, "seed": seed, "epochs": 3, "out": out})
    for epoch in range(3):
        mlflow.log_metric("val_score", score - 2 + epoch, step=epoch)
    mlflow.end_run(end)
    return run.info.run_id


mlflow.set_tracking_uri(sys.argv[1])
experiment = mlflow.set_experiment("mine")
with mlflow.start_run(run_name="sweep"):
    mlflow.log_param("sampler", "grid")
    for layers in (2, 4, 8, 16, 32, 64):
        for seed in (0, 1):
            for act, gain in (("mish", 1.5), ("relu", 0.0)):
                train(act, layers, seed, 80 + layers / 8 + gain + 0.1 * seed)
    try:
        with mlflow.start_run(nested=True):
            mlflow.log_params({"act": "relu", "layers": 2, "seed": 2, "epochs": 3})
            mlflow.log_metric("val_score", 55.0)
            raise MemoryError
    except MemoryError:
        pass
    train("mish", 2, 2, float("nan"))
    train("relu", 4, 2, float("inf"))
    train("mish", 4, 2, 81.0, end="KILLED")
    mlflow.delete_run(train("mish", 8, 2, 81.0))
    with mlflow.start_run(nested=True):
        mlflow.log_params({"act": "relu", "layers": 8, "seed": 2})
client = mlflow.MlflowClient()
client.log_param(client.create_run(experiment.experiment_id).info.run_id, "act", "mish")
