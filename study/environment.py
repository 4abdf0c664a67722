"""The fingerprint of an environment: what must be equal for a training to give the same bytes."""

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from study import references

PACKAGES = {"fit": ("tensorflow",), "population": ("jax", "jaxlib")}
"""Engine to the packages whose versions can move its results, beside those of every engine."""


def processor() -> str:
    """Return the processor's model: its instruction set decides the last digits."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.processor() or platform.machine()


def versions(*engines: str) -> dict[str, str]:
    """Return the installed versions of what the engines rest on; what is not installed is left out."""
    found: dict[str, str] = {}
    own = [package for engine in engines for package in PACKAGES[engine]]
    for package in ("mishstudy", "keras", *own, "numpy", "scipy"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def machine(engine: str) -> dict[str, Any]:
    """Return what an engine's results owe to this machine and to what is installed on it."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "processor": processor(),
        "versions": versions(engine),
    }


def fingerprint(
    *,
    engine: str,
    device: str,
    threads: int,
    jit: bool,
    own: Mapping[str, str],
    data: Mapping[str, Any],
    machine: Mapping[str, Any],
) -> dict[str, Any]:
    """Return the fingerprint of an environment as plain JSON values.

    Parameters
    ----------
    engine : str
        Name of the engine.
    device : str
        `cpu` or the name of the GPU, as the training process sees it.
    threads : int
        Intra-op threads.
    jit : bool
        Whether XLA compiles the programs.
    own : dict of str to str
        The user's own functions (`package.module:function`) and the digests of their sources.
    data : dict
        `digest` of the contents of the data set, and `guess`: what guessing scores on it.
    machine : dict
        What `machine` says where the trainings run.
    """
    return {
        **{key: machine[key] for key in ("python", "system", "processor")},
        "device": device,
        "threads": threads,
        "engine": engine,
        "jit": jit,
        "versions": machine["versions"],
        "own": dict(sorted(own.items())),
        "data": dict(data),
    }


def own_functions(*names: str) -> dict[str, str]:
    """Return the digest of the source of each name that is a reference to a user's own function."""
    return {name: references.source_digest(name) for name in names if references.is_reference(name)}


def compatible(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether results of two fingerprints may stand side by side.

    All must be equal, but a sweep that grew by a function of the user's own has one more of these.
    """
    own, other = old.get("own", {}), new.get("own", {})
    same = all(own[name] == other[name] for name in own.keys() & other.keys())
    return same and {**old, "own": {}} == {**new, "own": {}}


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return one line `key: old -> new` for each difference of two fingerprints."""
    lines: list[str] = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            prefix = "source of " if key == "own" else f"{key}."
            lines += [f"{prefix}{line}" for line in differences(before, after)]
        elif before != after:
            lines.append(f"{key}: {before} -> {after}")
    return lines
