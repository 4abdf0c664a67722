"""The user's own functions: found, refused in one sentence, and fingerprinted."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from study.errors import InputError
from study.references import is_reference, resolve, source_digest

SOURCE = "def wavy(x):\n    return x\n\nLEVEL = 3\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give an empty current directory; what is imported from it is forgotten afterwards."""
    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_is_reference() -> None:
    assert is_reference("my_acts:wavy")
    assert not is_reference("beta_mish(1.5)")


def test_resolves_from_the_current_directory_and_from_packages(folder: Path) -> None:
    (folder / "own_acts.py").write_text(SOURCE)
    package = folder / "own_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "acts.py").write_text(SOURCE)
    assert resolve("own_acts:wavy")(5) == 5
    assert resolve(" own_package.acts:wavy ")(5) == 5
    assert resolve("math:tanh")(0) == 0


def test_the_current_directory_shadows_nothing(folder: Path) -> None:
    (folder / "colorsys.py").write_text("hls_to_rgb = None\n")
    assert callable(resolve("colorsys:hls_to_rgb"))


def test_resolves_where_python_does_not_look_in_the_current_directory(folder: Path) -> None:
    (folder / "own_acts.py").write_text(SOURCE)
    code = "from study.references import resolve; print(resolve('own_acts:wavy').__module__)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code],
        cwd=folder,
        env=os.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "own_acts\n"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_acts", r"written 'package.module:function', .* but 'own_acts' was given"),
        ("own_acts:", "written 'package.module:function'"),
        (":wavy", "written 'package.module:function'"),
        ("own acts:wavy", "written 'package.module:function'"),
        ("./own_acts.py:wavy", "written 'package.module:function'"),
        ("own_acts:wavy:2", "written 'package.module:function'"),
        ("no_such:wavy", "there is no module 'no_such'; .* current directory .* PYTHONPATH"),
        ("own_acts.inner:wavy", "there is no module 'own_acts.inner'"),
        ("needs_more:wavy", "importing 'needs_more' raised ModuleNotFoundError: No module named 'not_there'"),
        ("breaks:wavy", "importing 'breaks' raised ZeroDivisionError: division by zero"),
        ("broken:wavy", "importing 'broken' raised SyntaxError"),
        ("leaves:wavy", "importing 'leaves' raised SystemExit"),
        ("own_acts:wavvy", "no function 'wavvy'; did you mean 'own_acts:wavy'"),
        ("own_acts:quadratic", "no function 'quadratic'; it is looked for in .*own_acts.py"),
        ("own_acts:LEVEL", "must be a function, but it is of type int"),
    ],
)
def test_a_wrong_reference_is_one_sentence(folder: Path, name: str, message: str) -> None:
    (folder / "own_acts.py").write_text(SOURCE)
    (folder / "needs_more.py").write_text("import not_there\n")
    (folder / "breaks.py").write_text("1 / 0\n")
    (folder / "broken.py").write_text("def (:\n")
    (folder / "leaves.py").write_text("raise SystemExit(3)\n")
    for function in (resolve, source_digest):
        with pytest.raises(InputError, match=message) as caught:
            function(name)
        assert "\n" not in str(caught.value)


def test_digest_is_that_of_the_source_file_and_follows_edits(folder: Path) -> None:
    path = folder / "own_acts.py"
    path.write_text(SOURCE)
    assert source_digest("own_acts:wavy") == hashlib.sha256(SOURCE.encode()).hexdigest()[:16]
    path.write_text(SOURCE + "# edited\n")
    assert source_digest("own_acts:wavy") == hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def test_digest_covers_the_file_that_defines_a_reexported_function(folder: Path) -> None:
    (folder / "own_acts.py").write_text("from own_inner import wavy\n")
    inner = folder / "own_inner.py"
    inner.write_text(SOURCE)
    before = source_digest("own_acts:wavy")
    inner.write_text(SOURCE + "# edited\n")
    assert source_digest("own_acts:wavy") != before


def test_digest_needs_a_source_file() -> None:
    with pytest.raises(InputError, match=r"must come from a Python source file, .* built-in module"):
        source_digest("sys:intern")
