"""How much arithmetic a training is: its layers, its steps, its floating point operations."""

from study.architectures import ARCHITECTURES
from study.architectures.sizes import COUNTED, Size, size_of
from study.architectures.unet_size import unet_size
from study.datasets import DATASETS
from study.training import Training


def operations(training: Training) -> float:
    """Return the floating point operations of a training: all steps, and validation after each epoch."""
    card = DATASETS.get(training.dataset)
    validated = training.epochs * card.validation_size if card else 0
    return steps(training) * step_operations(training) + 2.0 * size(training)[1] * validated


def scoring(training: Training) -> float:
    """Return the floating point operations of scoring training and test images when a training has ended."""
    card = DATASETS.get(training.dataset)
    return 2.0 * size(training)[1] * (_images(training) + (card.test_size if card else 0))


def steps(training: Training) -> int:
    """Return the number of steps of a training."""
    return training.epochs * (_images(training) // training.batch_size)


def step_operations(training: Training) -> float:
    """Return the floating point operations of one step: forward, and backward to inputs and weights."""
    return 6.0 * size(training)[1] * training.batch_size


def _images(training: Training) -> int:
    card = DATASETS.get(training.dataset)
    whole = card.train_size if card else 10_000
    return min(training.train_size or whole, whole)


def size(training: Training) -> tuple[int, float]:
    """Return weight layers and multiply-adds per example; a user's own network counts as 4 x 256."""
    height, width_, channels = input_shape(training)
    arguments = dict(training.architecture_arguments)
    if (known := known_size(training)) is not None:
        return known.layers, known.multiply_adds
    if training.architecture not in ARCHITECTURES:
        arguments = {"depth": 4, "width": 256}
    depth, width = int(arguments["depth"]), int(arguments["width"])
    inputs, hidden, convolutions = height * width_ * channels, depth - 1, 0.0
    if training.architecture == "convmlp":
        convolutions = height * width_ * 25.0 * (channels * 20 + 20 * 50)
        inputs, hidden = (height // 2) * (width_ // 2) * 50, depth - 3
    dense = inputs * width + (hidden - 1) * width**2 + width * 10.0
    return depth, dense + convolutions


def known_size(training: Training) -> Size | None:
    """Return the size of a convolutional network of the catalogue; None for another one."""
    arguments, shape = dict(training.architecture_arguments), input_shape(training)
    if training.architecture == "unet":
        return unet_size(shape, arguments)
    return size_of(training.architecture, shape, arguments) if training.architecture in COUNTED else None


def input_shape(training: Training) -> tuple[int, int, int]:
    """Return height, width and channels of an image; a user's own data count as 32 x 32 x 3."""
    card = DATASETS.get(training.dataset)
    return card.input_shape if card else (32, 32, 3)
