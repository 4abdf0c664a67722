"""Data sets that are published as pictures, on small made-up folders of the same layout."""

import dataclasses
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from data_sets import one_sentence
from PIL import Image

from study import checksums, image_folders, keras_data
from study.cuts import cuts_of
from study.datacards import DATASETS
from study.datasets import fetch, load, verify
from study.errors import InputError

CARS = dataclasses.replace(
    DATASETS["carvana"], input_shape=(8, 12, 3), train_size=32, validation_size=16, test_size=16
)
NUCLEI = dataclasses.replace(
    DATASETS["nuclei"], input_shape=(6, 6, 1), train_size=6, validation_size=2, test_size=2
)


@pytest.fixture
def cars(tmp_path: Path) -> Path:
    """Return a folder with 4 cars from 16 sides, 24 x 16 pixels: the left part of each is the car."""
    folder = tmp_path / "carvana"
    for part in ("train", "train_masks"):
        (folder / part).mkdir(parents=True)
    for car in range(4):
        for side in range(1, 17):
            mask = np.zeros((16, 24), bool)
            mask[:, : 2 * (1 + car)] = True
            picture = np.where(mask[..., None], 40 * car, [250, side, 0]).astype(np.uint8)
            name = f"{car:012x}_{side:02d}"
            Image.fromarray(picture).save(folder / "train" / f"{name}.jpg", quality=100, subsampling=0)
            Image.fromarray(mask).save(folder / "train_masks" / f"{name}_mask.gif")
    return folder


def car_of(mask: np.ndarray) -> int:
    """Return which car a mask of the small size shows."""
    return int(mask[0].sum()) - 1


def test_a_car_is_in_one_cut_alone_and_its_mask_goes_with_it(cars: Path) -> None:
    arrays = image_folders.arrays_of(CARS, cars)
    assert {key: array.shape for key, array in arrays.items()} == keras_data.official_shapes(CARS)
    seen = {part: {car_of(mask) for mask in arrays[f"y_{part}"]} for part in ("train", "validation", "test")}
    assert sorted(len(found) for found in seen.values()) == [1, 1, 2]
    assert set.union(*seen.values()) == {0, 1, 2, 3}
    for part in seen:
        for picture, mask in zip(arrays[f"x_{part}"], arrays[f"y_{part}"], strict=True):
            assert set(np.unique(mask)) == {0, 1}
            assert np.abs(picture[mask == 1].astype(int) - 40 * car_of(mask)).max() < 12  # a JPEG
            assert picture[mask == 0, 0].min() > 235


def test_the_cuts_of_carvana_never_change(cars: Path) -> None:
    arrays = image_folders.arrays_of(CARS, cars)
    assert [car_of(arrays[f"y_{part}"][0]) for part in ("validation", "test")] == [2, 3]
    channels = {key: a.reshape(-1, *CARS.input_shape) if key[0] == "x" else a for key, a in arrays.items()}
    cuts = cuts_of(CARS, channels)
    assert [len(cuts[part][0]) for part in cuts] == [32, 16, 16]


def test_fetch_makes_the_file_and_the_file_is_checked(
    cars: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(DATASETS, "carvana", CARS)
    assert "or its pictures" in verify("carvana", tmp_path).sentence
    path = fetch("carvana", tmp_path)
    assert (path, verify("carvana", tmp_path).checksum) == (tmp_path / "carvana.npz", "unverified")
    shutil.rmtree(cars)
    assert fetch("carvana", tmp_path) == path
    dataset = load("carvana", tmp_path, train_size=5)
    assert (dataset.train.x.shape, dataset.train.y.shape) == ((5, 8, 12, 3), (5, 8, 12))
    assert dataset.train.x.max() <= 1.0
    arrays = keras_data.read(path, CARS)
    arrays["y_test"][0] = 0
    with pytest.raises(InputError, match="must hold 0 for background and 1 for foreground, both of them"):
        checksums.check("carvana", arrays, "the file")


def test_what_is_wrong_with_the_pictures_is_one_sentence(cars: Path) -> None:
    def refusal() -> str:
        with pytest.raises(InputError) as caught:
            image_folders.arrays_of(CARS, cars)
        assert one_sentence(str(caught.value))
        return str(caught.value)

    mask = next((cars / "train_masks").iterdir())
    kept = mask.read_bytes()
    mask.write_bytes(b"no picture")
    assert re.match("A picture in .* cannot be read", refusal())
    mask.unlink()
    assert mask.name in refusal()
    mask.write_bytes(kept)
    next((cars / "train").iterdir()).unlink()
    assert "must hold the 64 pictures of carvana, but it holds 63" in refusal()
    shutil.rmtree(cars / "train")
    assert "There are no pictures" in refusal()


@pytest.fixture
def nuclei(tmp_path: Path) -> Path:
    """Return a folder with 10 pictures that count, a coloured one, a bright one and a larger one."""
    folder = tmp_path / "nuclei"
    kinds = [(6, 6, 20, 0)] * 10 + [(6, 6, 20, 1), (6, 6, 200, 0), (6, 7, 20, 0)]
    for number, (height, width, grey, tint) in enumerate(kinds):
        home = folder / "stage1_train" / f"{number:064x}"
        for part in ("images", "masks"):
            (home / part).mkdir(parents=True)
        picture = np.full((height, width, 4), grey + number, np.uint8)
        picture[..., 0] += tint
        Image.fromarray(picture).save(home / "images" / f"{home.name}.png")
        for nucleus in range(2):
            mask = np.zeros((height, width), np.uint8)
            mask[nucleus, : number % 5 + 1] = 255
            Image.fromarray(mask).save(home / "masks" / f"{nucleus}.png")
    return folder


def test_nuclei_are_grey_dark_and_of_one_size_and_every_fifth_is_for_the_test(nuclei: Path) -> None:
    arrays = image_folders.arrays_of(NUCLEI, nuclei)
    assert arrays["x"][:, 0, 0].tolist() == list(range(20, 30))
    assert arrays["y"].sum(axis=(1, 2)).tolist() == [2, 4, 6, 8, 10] * 2
    assert np.flatnonzero(arrays["is_val"]).tolist() == [4, 9]


def test_altered_nuclei_are_refused(nuclei: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(DATASETS, "nuclei", NUCLEI)
    with pytest.raises(
        InputError, match="does not hold nuclei as published: 'x' must have the SHA-256"
    ) as caught:
        fetch("nuclei", tmp_path)
    assert one_sentence(str(caught.value))
    assert not (tmp_path / "nuclei.npz").exists()
