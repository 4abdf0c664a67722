"""What the catalogue says of its activations, and the command that shows it."""

import json
import re
from pathlib import Path

import mpmath
import pytest
from activation_references import REFERENCES
from sweep_runs import run

from study.activation_facts import facts
from study.activations import ACTIVATIONS, parse


@pytest.mark.parametrize(
    ("name", "minimum", "at", "slope", "gain"),
    [
        ("mish", -0.308843, -1.192431, 0.6, 1.487),
        ("swish", -0.278465, -1.278465, 0.5, 1.677),
        ("beta_mish(1.5)", -0.451103, -1.244057, 0.7778, 1.367),
        ("gelu", -0.169971, -0.751792, 0.5, 1.534),
        ("hard_mish", -0.5, -1.0, 1.0, 1.331),
        ("serf", -0.348437, -1.19306, 0.673, 1.412),
        ("smish", -0.249994, -1.39452, 0.385, 2.513),
        ("logish", -0.252769, -1.37245, 0.405, 2.268),
        ("tanhexp", -0.353286, -1.07886, 0.762, 1.375),
        ("serlu", -1.152425, -1.0, 3.1326, 1.0),
        ("squareplus", None, None, 0.5, 0.816),
        ("relu", None, None, 0.0, 1.414),
    ],
)
def test_facts_are_the_published_ones(
    name: str, minimum: float | None, at: float | None, slope: float, gain: float
) -> None:
    found = facts(name)
    assert found.minimum == pytest.approx(minimum, abs=2e-5)
    assert found.minimum_at == pytest.approx(at, abs=2e-5)
    assert found.slope_at_0 == pytest.approx(slope, abs=1e-3)
    assert found.gain == pytest.approx(gain, abs=1e-3)


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "bent_identity"])
def test_each_has_a_formula_a_year_and_a_source_and_its_docstring_names_its_minimum(name: str) -> None:
    found = facts(name)
    assert found.formula
    assert found.source
    assert found.year is not None
    assert 1980 < found.year < 2026
    document = " ".join((ACTIVATIONS[name].__doc__ or "").split())
    said = re.search(r"minimum (?:is )?(?:then )?at x = (-?[\d.]*\d)", document)
    if said and name != "beta_swish":
        assert found.minimum_at == pytest.approx(float(said[1]), abs=2e-6)
    if found.minimum is not None and not parse(name)[1]:
        reference = REFERENCES[name]
        at = mpmath.mpf(found.minimum_at)
        assert float(reference(at)) == pytest.approx(found.minimum, abs=1e-9)


def test_the_command_lists_and_draws(tmp_path: Path) -> None:
    listed = run("activations").stdout
    assert "| mish | x tanh(softplus(x)) | -0.3088 | -1.192 | 0.6 | 1.487 | 2020 |" in listed
    figure = tmp_path / "two.svg"
    told = json.loads(run("activations", "mish", "beta_mish(2)", "--format", "json", "--out", figure).stdout)
    assert [each["name"] for each in told] == ["mish", "beta_mish(2)"]
    assert "beta_mish(2)" in figure.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mihs",), "did you mean 'mish'?"),
        (("mine:bent",), "'mine:bent' is your own"),
        (("mish", "--format", "xml"), "--format takes md or json, and 'xml' was given"),
        (("mish", "--out", "mish.txt"), "--out names a file that ends in .svg, .png, .pdf"),
    ],
)
def test_what_it_does_not_take_is_one_sentence(
    arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    done = run("activations", *arguments, code=2)
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
