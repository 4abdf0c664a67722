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


BOTH_SEE = [
    ("own_acts", r"written 'package.module:function', .* but 'own_acts' was given"),
    ("own_acts:", "written 'package.module:function'"),
    (":wavy", "written 'package.module:function'"),
    ("own acts:wavy", "written 'package.module:function'"),
    ("./own_acts.py:wavy", "written 'package.module:function'"),
    ("own_acts:wavy:2", "written 'package.module:function'"),
    ("no_such:wavy", "there is no module 'no_such'; .* current directory .* PYTHONPATH"),
    ("own_acts.inner:wavy", "there is no module 'own_acts.inner'"),
    ("broken:wavy", "importing 'broken' raised SyntaxError"),
    ("own_acts:wavvy", "no function 'wavvy'; did you mean 'own_acts:wavy'"),
    ("own_acts:quadratic", "no function 'quadratic'; it is looked for in .*own_acts.py"),
    ("own_acts:LEVEL", "must be a function, but it is of type int"),
]
IMPORT_TELLS = [
    ("needs_more:wavy", "importing 'needs_more' raised ModuleNotFoundError: No module named 'not_there'"),
    ("breaks:wavy", "importing 'breaks' raised ZeroDivisionError: division by zero"),
    ("leaves:wavy", "importing 'leaves' raised SystemExit"),
    ("made:wavvy", "no function 'wavvy'; did you mean 'made:wavy'"),
    ("made:number", "must be a function, but it is of type float"),
]


@pytest.mark.parametrize(("name", "message"), [*BOTH_SEE, *IMPORT_TELLS])
def test_a_wrong_reference_is_one_sentence(folder: Path, name: str, message: str) -> None:
    (folder / "own_acts.py").write_text(SOURCE)
    (folder / "needs_more.py").write_text("import not_there\ndef wavy(x): ...\n")
    (folder / "breaks.py").write_text("1 / 0\ndef wavy(x): ...\n")
    (folder / "broken.py").write_text("def (:\n")
    (folder / "leaves.py").write_text("raise SystemExit(3)\ndef wavy(x): ...\n")
    (folder / "made.py").write_text("globals()['wavy'] = abs\nnumber = float(3)\n")
    for function in (resolve, source_digest) if (name, message) in BOTH_SEE else (resolve,):
        with pytest.raises(InputError, match=message) as caught:
            function(name)
        assert "\n" not in str(caught.value)


def test_digest_is_that_of_the_source_file_and_follows_edits(folder: Path) -> None:
    path = folder / "own_acts.py"
    path.write_text(SOURCE)
    assert source_digest("own_acts:wavy") == hashlib.sha256(SOURCE.encode()).hexdigest()[:16]
    path.write_text(SOURCE + "# edited\n")
    assert source_digest("own_acts:wavy") == hashlib.sha256(path.read_bytes()).hexdigest()[:16]


MODULES = {
    "own.py": "from own_inner import wavy\n",
    "own_inner.py": SOURCE,
    "renamed.py": "try:\n    from own_inner import wavy as bent\nexcept ImportError:\n    bent = None\n",
    "starred.py": "from own_inner import *\n",
    "assigned.py": "import own_inner\nbent = own_inner.wavy\n",
    "partly.py": "import functools\nfrom own_inner import wavy\nbase=wavy\nbent = functools.partial(base)\n",
    "decorated.py": "import own_inner as inner\n@inner.wavy\ndef bent(x): return x\n",
    "pack/__init__.py": "from .acts import bent\n",
    "pack/acts.py": "from .deeper import tools\nbent = tools.inner.wavy\n",
    "pack/deeper/__init__.py": "",
    "pack/deeper/tools.py": "from own_inner import wavy\nimport own_inner as inner\n",
}  # fmt: skip


@pytest.mark.parametrize(
    "name",
    [
        "own:wavy",
        "renamed:bent",
        "starred:wavy",
        "assigned:bent",
        "partly:bent",
        "decorated:bent",
        "pack:bent",
        "pack.acts:bent",
    ],
)
def test_digest_covers_the_file_that_a_function_is_made_from(folder: Path, name: str) -> None:
    for path, text in MODULES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    assert callable(resolve(name))
    before = source_digest(name)
    (folder / "own_inner.py").write_text(SOURCE + "# edited\n")
    assert source_digest(name) != before


def test_digest_of_a_reexported_function_is_that_of_both_files(folder: Path) -> None:
    (folder / "own.py").write_text(MODULES["own.py"])
    (folder / "own_inner.py").write_text(SOURCE)
    both = (MODULES["own.py"] + SOURCE).encode()
    assert source_digest("own:wavy") == hashlib.sha256(both).hexdigest()[:16]


@pytest.mark.parametrize("name", ["framed:wavy", "framed:kept", "around.inner:wavy"])
def test_the_digest_imports_nothing_of_the_users(folder: Path, name: str) -> None:
    (folder / "framed.py").write_text(
        "import keras\n" + SOURCE + "kept = keras.saving.register_keras_serializable()(wavy)\n"
    )
    (folder / "around").mkdir()
    (folder / "around" / "__init__.py").write_text("import keras\n")
    (folder / "around" / "inner.py").write_text(SOURCE)
    code = (
        "import sys; from study.references import source_digest; "
        f"source_digest({name!r}); print({{'keras', 'framed', 'around'}} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("set()\n", "")


def test_a_function_whose_source_cannot_be_read_off_is_refused(folder: Path) -> None:
    (folder / "made.py").write_text("globals()['wavy'] = abs\n")
    assert resolve("made:wavy")(-5) == 5
    with pytest.raises(InputError, match=r"no function 'wavy'; .*made.py, as a def, an import or an assi"):
        source_digest("made:wavy")


def test_digest_needs_a_source_file() -> None:
    with pytest.raises(InputError, match=r"must come from a Python source file, .* built-in module"):
        source_digest("sys:intern")


def test_a_function_from_a_library_in_machine_code_needs_one_around_it(folder: Path) -> None:
    (folder / "own.py").write_text("from math import tanh\nimport math\ndef wavy(x): return math.tanh(x)\n")
    with pytest.raises(InputError, match=r"'own:tanh' must come from a Python source file"):
        source_digest("own:tanh")
    assert source_digest("own:wavy")
