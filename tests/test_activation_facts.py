"""What the catalogue says of its activations, and the command that shows it."""

import json
import re
from pathlib import Path

import mpmath
import pytest
from activation_references import REFERENCES
from sweep_runs import run

from study.activation_facts import facts
from study.activations import ACTIVATIONS, LAYERS, parse, written_out


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
        ("relu", 0.0, 0.0, 0.0, 1.414),
    ],
)
def test_facts_are_the_published_ones(
    name: str, minimum: float | None, at: float | None, slope: float, gain: float
) -> None:
    found = facts(name)
    assert found.minimum == pytest.approx(minimum, abs=2e-6)
    assert found.minimum_at == pytest.approx(at, abs=1e-5)
    assert found.slope_at_0 == pytest.approx(slope, abs=1e-3)
    assert found.gain == pytest.approx(gain, abs=1e-3)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_each_has_its_formulas_and_a_source_and_its_docstring_names_its_minimum(name: str) -> None:
    found = facts(name)
    assert found.name == written_out(name)
    assert found.formula
    assert found.derivative
    assert found.source
    document = " ".join((ACTIVATIONS[name].__doc__ or "").split())
    said = re.search(r"minimum (?:is )?(?:then )?at x = (-?[\d.]*\d)(?!/)", document)
    if said and name != "beta_swish":
        assert found.minimum_at == pytest.approx(float(said[1]), abs=1.1e-6)
    ranged = re.search(r"range (?:is )?[\[(](-[\d.]*\d)[,;]", document)
    if ranged:
        assert found.infimum == pytest.approx(
            float(ranged[1]), abs=1.1 * 10.0 ** -len(ranged[1].split(".")[-1])
        )


FAR = tuple(map(mpmath.mpf, (-500, -200, -50, -30)))
LEAST = sorted({written_out(name) for name in ACTIVATIONS} | {"celu(2)", "beta_mish(2)", "threshold(0.3)"})


@pytest.mark.parametrize("name", LEAST)
def test_the_infimum_is_taken_where_it_is_said_to_be_and_else_approached(name: str) -> None:
    found = facts(name)
    function, parameters = parse(name)
    with mpmath.workdps(500):
        far = [REFERENCES[function](x, *parameters) for x in FAR]
    if found.infimum is None:
        assert min(far) < -20
        return
    near = [REFERENCES[function](mpmath.mpf(k) / 4, *parameters) for k in range(-100, 100)]
    below = found.infimum - 1e-11  # the constants of some are numbers of float64
    assert min(*far, *near) > below
    if found.minimum_at is None:
        assert far[0] < far[1] < far[2] < far[3]
        assert float(far[0]) == pytest.approx(found.infimum, abs=3e-3)
    else:
        assert found.minimum == found.infimum
        for x in (found.minimum_at, *(FAR if found.minimum_is_flat else ())):
            y = REFERENCES[function](mpmath.mpf(x), *parameters)
            assert float(y) == pytest.approx(found.minimum, abs=1e-10)
        assert REFERENCES[function](mpmath.mpf(found.minimum_at) + 1, *parameters) > below + 1e-5


def test_a_minimum_that_is_only_approached_is_no_minimum() -> None:
    """And a flat one is told from one that is taken once, though the tail of Phish falls as low."""
    assert [facts(name).minimum for name in ("elu", "selu", "tanh", "sigmoid", "softplus")] == [None] * 5
    assert facts("selu").infimum == pytest.approx(-1.758099, abs=1e-6)
    assert [facts(name).minimum_is_flat for name in ("relu", "hard_tanh", "threshold(0.3)")] == [True] * 3
    phish, lisht = facts("phish"), facts("lisht")
    assert (phish.minimum, phish.minimum_at, phish.minimum_is_flat) == (0.0, 0.0, False)
    assert (lisht.minimum, lisht.minimum_at, lisht.minimum_is_flat) == (0.0, 0.0, False)


def test_years_are_those_of_the_first_version() -> None:
    years = {
        "mish": 2019, "elu": 2015, "swish": 2017, "gelu": 2016, "selu": 2017, "serf": 2021, "smish": 2022,
        "relu": 2010, "leaky_relu": 2013, "squareplus": 2021, "softsign": 2009, "threshold": 2014,
        "bent_identity": None,
    }  # fmt: skip
    assert {name: facts(name).year for name in years} == years


def test_the_slope_at_0_is_not_that_of_float32() -> None:
    assert facts("mish").slope_at_0 == 0.6
    assert facts("beta_mish").slope_at_0 == pytest.approx(7 / 9, abs=1e-12)


def test_layers_are_those_that_there_are() -> None:
    from study import learned_activations

    for name, layer in LAYERS.items():
        assert facts(name).layer == f"study.learned_activations.{layer}"
        assert issubclass(getattr(learned_activations, layer), learned_activations.keras.layers.Layer)
    assert facts("swish").layer is None


def test_the_command_lists_and_draws(tmp_path: Path) -> None:
    listed = run("activations").stdout
    assert (
        "| mish | x tanh(softplus(x)) | t + x s(x) (1 - t²) with t = tanh(softplus(x)) | -0.3088 |" in listed
    )
    assert "| elu | x for x > 0 and exp(x) - 1 otherwise, that is, α = 1 | 1 for x > 0 and" in listed
    assert "| 1 for x > 0 and 0 otherwise | 0 | x <= 0 | 0 | 1.414 | 2010 |" in listed
    assert "| > -1.758 | x → -∞ |" in listed
    page = (Path(__file__).parent.parent / "docs" / "activations.md").read_text(encoding="utf-8")
    rows = [line for line in listed.splitlines() if line.startswith("| ")][2:]
    assert [row for row in rows if re.sub(r"^\| (\S+)", r"| `\1`", row) not in page.splitlines()] == []
    assert (
        "leaky_relu(0.3) with a trained parameter: the Keras layer study.learned_activations.PReLU." in listed
    )
    figure = tmp_path / "two.svg"
    told = json.loads(run("activations", "mish", "beta_mish(2)", "--format", "json", "--out", figure).stdout)
    assert [each["name"] for each in told] == ["mish", "beta_mish(2)"]
    assert "beta_mish(2)" in figure.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("mihs",), "did you mean 'mish'?"),
        (("prelu",), "'prelu' trains its parameter and is a layer, study.learned_activations.PReLU"),
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
