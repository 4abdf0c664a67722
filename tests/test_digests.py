"""Identities that ledgers hold: those of the versions before, whatever settings were added since."""

import dataclasses
from pathlib import Path

import pytest

from study.packing import packs
from study.training import LATER, Training
from sweeps.spec import SweepSpec, parse

ROOT = Path(__file__).parents[1]
QUICKSTART = (ROOT / "sweeps" / "quickstart.toml").read_text(encoding="utf-8")

DIFFERENT = {
    "learning_rate_policy": "cosine",
    "gradient_clipping": 0.5,
    "gain_matched_initialization": True,
}


def quickstart(fixed: str) -> SweepSpec:
    """Return the quickstart with lines more under `[fixed]`, its last table."""
    return parse(f"{QUICKSTART}{fixed}\n", "s.toml")


def test_settings_at_their_defaults_are_not_in_what_is_recorded(training: Training) -> None:
    assert training.digest == "f34eb83a0d86817f"
    assert packs([training], 24)[0].shape == "c41958dcb07d0525"
    assert not set(LATER) & set(training.to_json())
    assert Training.from_json(training.to_json()) == training


def test_a_spec_has_its_digest_whether_it_names_the_defaults_or_not() -> None:
    assert quickstart("").digest == "c106f570dcf6fdea"
    for name, default in LATER.items():
        written = str(default).lower() if not isinstance(default, str) else f'"{default}"'
        assert quickstart(f"{name} = {written}").digest == "c106f570dcf6fdea"


@pytest.mark.parametrize("name", LATER)
def test_another_value_makes_another_training_and_another_spec(training: Training, name: str) -> None:
    other = dataclasses.replace(training, **{name: DIFFERENT[name]})
    assert other.digest != training.digest
    assert other.to_json()[name] == DIFFERENT[name]
    assert Training.from_json(other.to_json()) == other
    value = DIFFERENT[name]
    written = str(value).lower() if not isinstance(value, str) else f'"{value}"'
    changed = quickstart(f"{name} = {written}")
    assert changed.digest != quickstart("").digest
    shown = f"fixed.{name}: not given -> {written}"
    assert changed.changes_against(quickstart("")) == [shown]
