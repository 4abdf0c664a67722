"""The same trainings in a hand-written PyTorch loop: torch_loop.py FOLDER, see plain.py."""

# pyright: reportMissingImports=false

import itertools
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

FOLDER = Path(sys.argv[1])
TRAININGS: list[dict[str, Any]] = json.loads((FOLDER / "trainings.json").read_text(encoding="utf-8"))
DATA = {name: torch.from_numpy(array) for name, array in np.load(FOLDER / "data.npz").items()}
for cut in ("train", "validation", "test"):
    DATA[f"x_{cut}"] = DATA[f"x_{cut}"].permute(0, 3, 1, 2).contiguous()  # channels first
ACTIVATIONS = {"mish": nn.Mish, "relu": nn.ReLU, "swish": nn.SiLU}
INITIALIZERS = {"glorot_uniform": nn.init.xavier_uniform_, "he_normal": nn.init.kaiming_normal_}


def network(training: dict[str, Any]) -> nn.Sequential:
    """Return the network of a training."""
    channels, height, width = DATA["x_train"].shape[1:]
    hidden = training["architecture_arguments"]["depth"] - 1
    layers: list[nn.Module] = []
    if training["architecture"] == "convmlp":
        hidden -= 2
        for before, after in ((channels, 20), (20, 50)):
            convolution = nn.Conv2d(before, after, 5, padding="same")
            INITIALIZERS[training["initializer"]](convolution.weight)
            nn.init.zeros_(convolution.bias)
            layers += [convolution, ACTIVATIONS[training["activation"]]()]
        layers.append(nn.MaxPool2d(2))
        height, width, channels = height // 2, width // 2, 50
    layers.append(nn.Flatten())
    sizes = [height * width * channels, *[training["architecture_arguments"]["width"]] * hidden]
    for before, after in itertools.pairwise(sizes):
        dense = nn.Linear(before, after)
        INITIALIZERS[training["initializer"]](dense.weight)
        nn.init.zeros_(dense.bias)
        layers += [dense, ACTIVATIONS[training["activation"]]()]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], 10))


def accuracy(model: nn.Module, cut: str) -> float:
    """Return the accuracy on a cut, in points."""
    parts = zip(DATA[f"x_{cut}"].split(1000), DATA[f"y_{cut}"].split(1000), strict=True)
    with torch.no_grad():
        hits = torch.cat([model(x).argmax(dim=1) == y for x, y in parts])
    return 100.0 * float(hits.float().mean())


def train(training: dict[str, Any]) -> float:
    """Train once; return the test accuracy."""
    model = network(training)
    kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[training["optimizer"]]
    optimizer = kind(model.parameters(), lr=training["learning_rate"])
    hidden = [layer.weight for layer in list(model)[1:-1] if isinstance(layer, nn.Linear)]
    strength = training["regularizer_strength"] if training["regularizer"] == "l2" else 0.0
    examples, size = len(DATA["x_train"]), training["batch_size"]
    for _ in range(training["epochs"]):
        order = torch.randperm(examples)
        for start in range(0, examples - size + 1, size):
            rows = order[start : start + size]
            loss = nn.functional.cross_entropy(model(DATA["x_train"][rows]), DATA["y_train"][rows])
            if strength:
                loss = loss + strength * sum(weight.square().sum() for weight in hidden)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        accuracy(model, "validation")
    return accuracy(model, "test")


def main() -> None:
    """Train every row once."""
    scores = [train(training) for training in TRAININGS]
    (FOLDER / "scores.json").write_text(json.dumps(scores), encoding="utf-8")


if __name__ == "__main__":
    main()
