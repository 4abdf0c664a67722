"""Keras' own loaders, and how their data sets come into the data folder."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from data_sets import one_sentence, run

from study import keras_data
from study.datacards import DATASETS
from study.datasets import content_digest, fetch
from study.errors import InputError

UNREACHABLE = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("name", "why"), [("digits", "nothing to fetch"), ("cifar10-repaired", "published nowhere")]
)
def test_what_cannot_be_fetched_says_why(name: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=why):
        fetch(name, tmp_path)


def test_a_sound_file_is_not_fetched_again(data_folder: Path) -> None:
    assert fetch("mnist", data_folder) == data_folder / "mnist.npz"


LOAD = """
import sys
from pathlib import Path
from study import datasets
from study.errors import InputError
try:
    datasets.load("mnist", Path(sys.argv[1]))
except InputError as error:
    print(error)
"""


def test_a_failed_download_is_one_sentence_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    done = run(
        LOAD,
        str(tmp_path / "data"),
        KERAS_HOME=str(tmp_path / "keras"),
        KERAS_BACKEND="numpy",
        https_proxy=UNREACHABLE,
        http_proxy=UNREACHABLE,
        no_proxy="",
    )
    message = done.stdout.strip()
    assert message.startswith("mnist is in no data folder and Keras could not get it (")
    assert "URL fetch failure on https://" in message
    assert message.endswith("put mnist.npz into a folder and name that folder with --data or MISHSTUDY_DATA.")
    assert one_sentence(message)
    assert list((tmp_path / "data").iterdir()) == []


FETCH = """
import sys
from pathlib import Path
from study import datasets
found = datasets.verify("fashion_mnist")
path = datasets.fetch("fashion_mnist", Path(sys.argv[1]))
print(found.place, found.checksum, path.name, datasets.content_digest("fashion_mnist"))
"""


def test_fetch_takes_what_keras_has_and_writes_it_into_the_folder(data_folder: Path, tmp_path: Path) -> None:
    keras = tmp_path / "keras" / "datasets" / "fashion-mnist"
    keras.mkdir(parents=True)
    with np.load(data_folder / "fashion_mnist.npz", allow_pickle=False) as arrays:
        for part, label in (("train", "train"), ("test", "t10k")):
            for key, kind, magic in (("x", "images-idx3", 3), ("y", "labels-idx1", 1)):
                array = arrays[f"{key}_{part}"]
                header = bytes([0, 0, 8, magic]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
                compressed = gzip.compress(header + array.tobytes(), 1)
                (keras / f"{label}-{kind}-ubyte.gz").write_bytes(compressed)
    done = run(
        FETCH,
        str(tmp_path / "new"),
        KERAS_HOME=str(tmp_path / "keras"),
        KERAS_BACKEND="numpy",
        https_proxy=UNREACHABLE,
    )
    digest = content_digest("fashion_mnist", data_folder)
    assert done.stdout.split() == ["keras", "cache", "different", "fashion_mnist.npz", digest], done.stderr
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["fashion_mnist.npz"]
    assert content_digest("fashion_mnist", tmp_path / "new") == digest


def test_files_of_keras_are_compared_with_the_published_ones(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"abc")
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert keras_data.sha256_of_files({"file": abc}, tmp_path)
    assert not keras_data.sha256_of_files({"file": abc.replace("a", "b")}, tmp_path)


def test_keras_folder_is_the_one_of_keras(tmp_path: Path) -> None:
    code = (
        "import os; os.environ.pop('KERAS_HOME', None)\n"
        "from study.keras_data import keras_folder; from keras.src.backend.config import keras_home\n"
        "print(keras_folder()); print(keras_home())"
    )
    ours, keras = run(code, HOME=str(tmp_path), KERAS_BACKEND="numpy").stdout.split()
    assert Path(ours) == Path(keras) / "datasets" == tmp_path / ".keras" / "datasets"


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "occupied").write_text("a file, not a folder")
    with pytest.raises(InputError, match=r"cannot be written .* name a folder that is writable"):
        keras_data.write(tmp_path / "occupied" / "mnist.npz", {"x_train": np.zeros(3, np.uint8)})
    (tmp_path / "mnist.npz").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        keras_data.write(tmp_path / "mnist.npz", {"x_train": np.zeros(3, np.uint8)})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mnist.npz", "occupied"]


def test_labels_from_the_lists_of_cifar100_s_archive_are_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keras makes int64 of them; the archive itself is too large to be made up here."""
    import keras

    arrays = {
        part: (np.zeros((size, 32, 32, 3), np.uint8), (np.arange(size) % 100)[:, None])
        for part, size in (("train", 50_000), ("test", 10_000))
    }
    monkeypatch.setattr(keras.datasets.cifar100, "load_data", lambda: (arrays["train"], arrays["test"]))
    got = keras_data.download(DATASETS["cifar100"])
    assert (got["y_test"].dtype, got["y_test"].shape) == (np.uint8, (10_000,))
    assert np.array_equal(got["y_train"], arrays["train"][1][:, 0])
    arrays["train"][1][0] = 256
    with pytest.raises(InputError, match=r"'y_train' of cifar100 must have shape .* and type int64"):
        keras_data.download(DATASETS["cifar100"])
