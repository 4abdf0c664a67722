"""The doctor: finds what is there, flags what is wrong, and says so with its exit code."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from sweep_runs import run

from sweeps import doctor
from sweeps.engines import device_kind


def rows(text: str) -> dict[str, tuple[str, str]]:
    """Return subject -> mark and words of a printed page, folded lines joined."""
    found: dict[str, tuple[str, str]] = {}
    subject = ""
    for line in text.splitlines():
        mark, rest = line[1:5].strip(), line[6:]
        if mark in ("ok", "!!", "-"):
            subject, _, words = rest.strip().partition("  ")
            found[subject] = (mark, words.strip())
        elif subject and rest.strip():
            found[subject] = (found[subject][0], f"{found[subject][1]} {rest.strip()}")
    return found


@pytest.mark.slow
def test_a_sound_installation_passes(data_folder: Path, tmp_path: Path) -> None:
    found = rows(run("doctor", "--home", tmp_path / "new", "--data", data_folder, COLUMNS="300").stdout)
    usable = {subject for subject, (mark, _) in found.items() if mark == "ok"}
    assert {mark for mark, _ in found.values()} <= {"ok", "-"}
    assert found.keys() - usable <= {
        f"data set {name}" for name in ("cifar10", "cifar10-repaired", "cifar100", "carvana")
    }
    for package in (
        *("mishstudy", "keras", "tensorflow", "jax", "jaxlib", "numpy", "scipy"),
        *("pandas", "scikit-learn", "statsmodels", "mlflow", "optuna"),
    ):
        assert found[package][1][0].isdigit()
    assert "cores" in found["processor"][1]
    assert found["home"][1] == f"{tmp_path / 'new'} can be written"
    for engine, backend in (("fit", "tensorflow"), ("population", "jax")):
        assert f"Keras on {backend} starts; device " in found[f"engine {engine}"][1]
        assert "threads pinned to 1" in found[f"engine {engine}"][1]
    for name in ("mnist", "fashion_mnist"):
        assert found[f"data set {name}"][1] == f"in {data_folder / name}.npz; verified by SHA-256"
    assert not (tmp_path / "new").exists()


def test_what_is_wrong_is_flagged_and_the_exit_code_is_1(tmp_path: Path) -> None:
    (tmp_path / "mnist.npz").write_bytes(b"PK\x03\x04 torn")
    (tmp_path / "jax.py").write_text("raise ImportError('this jax is broken')\n")
    done = run(
        "doctor", "--home", "/dev/null/runs", "--data", tmp_path, code=1,
        PYTHONPATH=str(tmp_path), COLUMNS="300",
    )  # fmt: skip
    found = rows(done.stdout)
    wrong = {subject for subject, (mark, _) in found.items() if mark == "!!"}
    assert wrong == {"home", "engine population", "data set mnist"}
    assert "the training process died while it started (exit code 1)" in found["engine population"][1]
    assert "this jax is broken" in found["engine population"][1]
    assert "/dev/null/runs can not be written (Not a directory); name another with --home" in found["home"][1]
    assert "mnist.npz" in found["data set mnist"][1]
    assert found["data set fashion_mnist"][0] == "-"
    assert "not found; get it with 'mishstudy data fetch fashion_mnist'" in found["data set fashion_mnist"][1]


def test_the_other_copy_of_cifar10_is_no_fault_and_not_ok_under_this_name(data_folder: Path) -> None:
    if not (data_folder / "cifar10.npz").exists():
        pytest.skip("needs cifar10.npz in the folder MISHSTUDY_DATA")
    found = {finding.subject: finding for finding in doctor.data_findings(data_folder)}
    both = [found["data set cifar10"], found["data set cifar10-repaired"]]
    assert [each.fine for each in both] == [True, True]
    assert sorted(each.usable for each in both) == [False, True]


@pytest.mark.slow
@pytest.mark.skipif(device_kind() == "gpu", reason="this machine has a GPU")
def test_a_missing_gpu_is_said_and_the_exit_code_is_1(tmp_path: Path) -> None:
    found = rows(run("doctor", "--home", tmp_path, "--gpu", code=1, COLUMNS="300").stdout)
    for engine in ("fit", "population"):
        assert found[f"engine {engine}"][0] == "ok"
        assert found[f"engine {engine} on a GPU"] == (
            "!!",
            "no GPU was used: the engine sees none; see docs/gpu.md",
        )


def test_data_sets_are_listed_with_where_they_are(data_folder: Path) -> None:
    page = io.StringIO()
    Console(file=page, width=300).print(doctor.render_data(data_folder))
    lines = {line.split()[0]: line for line in page.getvalue().splitlines() if line.strip()}
    assert "1078 / 359 / 360" in lines["digits"]
    assert f"in {data_folder / 'mnist.npz'}; verified by SHA-256" in lines["mnist"]
    assert "109 of the 60,000 images come from a JPEG" in lines["cifar10"] or "verified" in lines["cifar10"]
