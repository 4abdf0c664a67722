"""The data sets and what must be known of each before it is used: shape, cuts, licence, source."""

import difflib
from dataclasses import dataclass

from study.errors import InputError
from study.tasks import Task


@dataclass(frozen=True, kw_only=True, slots=True)
class DataCard:
    """What is known of a data set without loading it.

    Parameters
    ----------
    name : str
        As a sweep names it.
    title : str
        As people call it.
    input_shape : tuple of int
        Height, width and channels of an image.
    classes : int
        Number of classes; labels are 0 to `classes` - 1. A segmentation has two: background and foreground.
    train_size, validation_size, test_size : int
        Images in the three cuts.
    flip_allowed : bool
        Whether an image mirrored left to right still shows its class.
    licence : str
        The licence under which the data is published.
    source : str
        Where it comes from.
    note : str
        What every table must say about the data; empty where there is nothing to say.
    task : {"classification", "segmentation"}
        Whether the labels are classes of images or masks.
    """

    name: str
    title: str
    input_shape: tuple[int, int, int]
    classes: int
    train_size: int
    validation_size: int
    test_size: int
    flip_allowed: bool
    licence: str
    source: str
    note: str = ""
    task: Task = "classification"

    @property
    def logits(self) -> int:
        """Outputs of a network: one per class, or one per pixel in a segmentation."""
        return self.classes if self.task == "classification" else 1


_CIFAR_LICENCE = "none stated; its author asks to cite Krizhevsky (2009)"
_CIFAR_SOURCE = "A. Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009"

_CARDS = (
    DataCard(
        name="digits",
        title="Digits",
        input_shape=(8, 8, 1),
        classes=10,
        train_size=1078,
        validation_size=359,
        test_size=360,
        flip_allowed=False,
        licence="CC BY 4.0",
        source="E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI, 1998",
    ),
    DataCard(
        name="mnist",
        title="MNIST",
        input_shape=(28, 28, 1),
        classes=10,
        train_size=50_000,
        validation_size=10_000,
        test_size=10_000,
        flip_allowed=False,
        licence="CC BY-SA 3.0",
        source="Y. LeCun, C. Cortes and C. J. C. Burges, The MNIST database of handwritten digits, 1998",
    ),
    DataCard(
        name="fashion_mnist",
        title="Fashion-MNIST",
        input_shape=(28, 28, 1),
        classes=10,
        train_size=50_000,
        validation_size=10_000,
        test_size=10_000,
        flip_allowed=True,
        licence="MIT, copyright 2017 Zalando SE",
        source="H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST, arXiv:1708.07747, 2017",
    ),
    DataCard(
        name="cifar10",
        title="CIFAR-10",
        input_shape=(32, 32, 3),
        classes=10,
        train_size=45_000,
        validation_size=5_000,
        test_size=10_000,
        flip_allowed=True,
        licence=_CIFAR_LICENCE,
        source=_CIFAR_SOURCE,
    ),
    DataCard(
        name="cifar10-repaired",
        title="CIFAR-10, repaired copy",
        input_shape=(32, 32, 3),
        classes=10,
        train_size=45_000,
        validation_size=5_000,
        test_size=10_000,
        flip_allowed=True,
        licence=_CIFAR_LICENCE,
        source=_CIFAR_SOURCE,
        note=(
            "The data is a repaired copy of CIFAR-10: 109 of its 60,000 images (86 for training and "
            "validation, 23 for testing) come from a JPEG, so the figures are not those of the published "
            "set; the test accuracy of one and the same network can differ by 0.23 points."
        ),
    ),
    DataCard(
        name="cifar100",
        title="CIFAR-100, fine labels",
        input_shape=(32, 32, 3),
        classes=100,
        train_size=45_000,
        validation_size=5_000,
        test_size=10_000,
        flip_allowed=True,
        licence=_CIFAR_LICENCE,
        source=_CIFAR_SOURCE,
    ),
    DataCard(
        name="nuclei",
        title="Nuclei, the 256x256 fluorescence images of the Data Science Bowl 2018",
        input_shape=(256, 256, 1),
        classes=2,
        train_size=214,
        validation_size=54,
        test_size=66,
        flip_allowed=True,
        licence="CC0 1.0",
        source="J. C. Caicedo et al., Nucleus segmentation across imaging experiments: the 2018 Data Science "
        "Bowl, Nature Methods 16, 2019, with the corrections of K. Lopuhin",
        task="segmentation",
    ),
    DataCard(
        name="carvana",
        title="Carvana Image Masking Challenge, at 256x256",
        input_shape=(256, 256, 3),
        classes=2,
        train_size=3_552,
        validation_size=512,
        test_size=1_024,
        flip_allowed=True,
        licence="the rules of the competition at Kaggle",
        source="Carvana Image Masking Challenge, Kaggle, 2017",
        task="segmentation",
    ),
)

DATASETS: dict[str, DataCard] = {card.name: card for card in _CARDS}
"""The data sets that the tool knows by name."""


def task_of(name: str) -> Task:
    """Return the task of a data set: a user's own one has classes."""
    return DATASETS[name].task if name in DATASETS else "classification"


def published_card(name: str) -> DataCard:
    """Return the card of a data set in `DATASETS`.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name in DATASETS:
        return DATASETS[name]
    near = difflib.get_close_matches(name, DATASETS, n=1)
    hint = f"did you mean '{near[0]}'?" if near else "for one of your own write 'package.module:function'."
    raise InputError(f"There is no data set '{name}'; the data sets are {', '.join(DATASETS)}; {hint}")
