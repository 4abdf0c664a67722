"""Which engine trains a sweep, by a shipped lookup, and what it takes together."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from study.architectures import ARCHITECTURES
from study.errors import InputError
from study.packing import ENOUGH, MEMBERS, Group, Pack, groups, packs
from study.references import is_reference
from study.training import Training
from sweeps.spec import SweepSpec

AUTO = {
    ("mlp", "cpu"): "population",
    ("convmlp", "cpu"): "fit",
    ("lenet4", "cpu"): "fit",
    ("mini_vgg", "cpu"): "fit",
    ("squeezenet", "cpu"): "fit",
    ("resnet_v1", "cpu"): "fit",
    ("resnet_v2", "cpu"): "fit",
    ("mlp", "gpu"): "population",
    ("convmlp", "gpu"): "population",
    ("lenet4", "gpu"): "population",
    ("mini_vgg", "gpu"): "population",
    ("squeezenet", "gpu"): "population",
    ("resnet_v1", "gpu"): "population",
    ("resnet_v2", "gpu"): "population",
}
"""Architecture and kind of device to the faster engine, where both can train it. Measured on CPUs, see
docs/performance.md and docs/architectures.md, with convolutions taken alike; on GPUs assumed."""

NAMES = ("fit", "population")


def device_kind() -> str:
    """Return `gpu` where the driver of an NVIDIA GPU is loaded, else `cpu`; no framework is asked."""
    return "gpu" if Path("/proc/driver/nvidia/version").exists() else "cpu"


def choose(asked: str, spec: SweepSpec) -> tuple[str, str]:
    """Return the engine of a sweep and a phrase on why it is that one.

    Parameters
    ----------
    asked : str
        `auto`, `fit` or `population`.

    Raises
    ------
    InputError
        If there is no such engine, or it cannot train this design.
    """
    if asked not in ("auto", *NAMES):
        raise InputError(
            f"--engine takes auto, {' or '.join(NAMES)}, and {asked!r} was given; leave it out for auto."
        )
    if spec.task == "segmentation":
        if asked == "population":
            raise InputError(
                f"--engine population trains classifications, and {spec.dataset} is a segmentation; use fit, "
                "or leave --engine out."
            )
        return "fit", "fit (it alone trains a segmentation)"
    entry = ARCHITECTURES.get(spec.architecture)
    able = NAMES if entry is None else entry.engines
    if asked != "auto" and asked not in able:
        raise InputError(
            f"--engine {asked} does not train {spec.architecture}, which is for {' and '.join(able)} alone; "
            f"use {able[0]}, or leave --engine out."
        )
    if spec.searches is not None and spec.searches.adaptive:
        if asked == "population":
            raise InputError(
                "--engine population trains many configurations at once, and the sampler "
                f"{spec.searches.sampler} chooses each one after the last; use fit, write "
                'sampler = "random", or leave --engine out.'
            )
        return "fit", f"fit (the sampler {spec.searches.sampler} chooses one setting after another)"
    if asked != "auto":
        return asked, f"{asked} (asked for)"
    own = [name for name in (spec.architecture, *spec.activations) if is_reference(name)]
    if own:
        return "fit", f"fit ({own[0]} is your own and may need TensorFlow; try --engine population)"
    if len(able) == 1:
        return able[0], f"{able[0]} (the engine that {spec.architecture} is for)"
    kind = device_kind()
    name = AUTO[spec.architecture, kind]
    return name, f"{name} (the faster one for {spec.architecture} on a {kind.upper()})"


def grouped(
    engine: str,
    kind: str,
    trainings: Sequence[Training],
    done: Collection[str],
    sizes: Mapping[str, int] | None = None,
) -> list[Group | Pack]:
    """Return what an engine takes together, without what is done.

    Parameters
    ----------
    engine : str
        `fit` or `population`.
    kind : {"cpu", "gpu"}
        Kind of device.
    trainings : sequence of Training
        The whole design: the groups do not depend on what is done.
    done : collection of str
        Digests of recorded trainings.
    sizes : dict of str to int
        Packs that memory made smaller, as `study.ledger.Record.sizes`.
    """
    whole: list[Group | Pack] = (
        [*packs(trainings, MEMBERS[kind], sizes, ENOUGH[kind])]
        if engine == "population"
        else [*groups(trainings)]
    )
    return [left for group in whole if (left := group.without(done)) is not None]
