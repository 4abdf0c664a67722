"""The rules of a spec that join several keys or need a catalogue; types and bounds are checked before."""

import keyword
import math
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic_core import InitErrorDetails

from study import gains
from study.architectures import ARCHITECTURES, too_small
from study.datacards import DATASETS
from study.errors import InputError
from study.question import Factor
from study.references import is_reference
from study.tasks import SCORES, kinds
from study.training import Level
from sweeps import design
from sweeps.home import OWN_NAMES
from sweeps.settings import TAKEN_NAMES, Setting, own_setting, settings_of
from sweeps.spec_errors import Path, broken_rule, nearest, shown, wrong_value

if TYPE_CHECKING:
    from sweeps.spec import FactorTable, SweepSpec, TuningTable

Mistakes = Iterator[InitErrorDetails]

OFAT_REPLICATES = 10
"""Fewest replicates of the design `ofat`: there the replicates of a level are the units of evidence."""

PROFILED_LEVELS = (3, 5)
"""Fewest and most levels of a profiled factor, which multiply the trainings."""

MOST_TRAININGS = 2_000_000
"""Most trainings of a sweep, whose design and ledger are held in memory as a whole."""

_ARGUMENT = re.compile(r"[a-z][a-z0-9_]{0,63}")


def mistakes(spec: "SweepSpec") -> list[InitErrorDetails]:
    """Return every rule that a spec of the right shape breaks.

    The rules that read levels wait until each factor and each fixed setting is right by itself.
    """
    alone = [*_question(spec), *_task(spec), *_design(spec), *_names(spec), *_profile(spec)]
    alone += [*_factors(spec), *_fixed(spec)]
    joined = alone or [*_data(spec), *_regularizer(spec), *_gains(spec), *_baseline(spec)]
    joined = joined or [*_size(spec), *_grid(spec)]
    return joined or [*_room(spec)]


def _question(spec: "SweepSpec") -> Mistakes:
    if spec.name in OWN_NAMES:
        rule = "the home keeps a file or folder of its own under that name; choose another one."
        yield wrong_value(("name",), spec.name, rule)
    for place, rival in enumerate(spec.rivals):
        path = ("activations", place)
        if rival == spec.focus:
            yield wrong_value(path, rival, "that is the focus itself; name only its rivals.")
        elif rival in spec.rivals[:place]:
            yield broken_rule(path, f"holds {shown(rival)} twice; name each rival once.")
    better = "minimize" if spec.metric.name.endswith("loss") else "maximize"
    if spec.metric.direction != better:
        size = "larger" if better == "maximize" else "smaller"
        rule = f'{spec.metric.name} is better when it is {size}; write direction = "{better}".'
        yield wrong_value(("metric", "direction"), spec.metric.direction, rule)
    if spec.loss_cap <= spec.delta:
        rule = f"must be more than delta, which is {shown(spec.delta)}; 10 x delta is usual."
        yield wrong_value(("loss_cap",), spec.loss_cap, rule)


def _task(spec: "SweepSpec") -> Mistakes:
    """Check that metric and architecture are made for what the data set asks for."""
    kind, suiting = spec.metric.name.rpartition("_")[2], kinds(spec.task)
    if kind not in suiting:
        metric = f"test_{SCORES[spec.task][0]}"
        rule = f"{spec.dataset} is a {spec.task}, which has no {kind}; write name = {shown(metric)}."
        if "metric" not in spec.model_fields_set:
            rule = f'{rule[:-1]} and direction = "maximize" under [metric].'
        yield wrong_value(("metric", "name"), spec.metric.name, rule)
    architecture = ARCHITECTURES.get(spec.architecture)
    if architecture is not None and architecture.task != spec.task:
        able = [name for name, each in ARCHITECTURES.items() if each.task == spec.task]
        rule = f"that is a network for {architecture.task}, and {spec.dataset} is a {spec.task}"
        yield wrong_value(("architecture",), spec.architecture, f"{rule}; choose one of {shown(able)}.")


def _design(spec: "SweepSpec") -> Mistakes:
    owners = dict.fromkeys(("configurations", "replicated_share", "profile"), "paired")
    owners |= {"baseline": "ofat", "tuning": "tuned"}
    for key, owner in owners.items():
        if key in spec.model_fields_set and spec.design != owner:
            yield broken_rule(
                (key,), f"belongs to the design {owner}, and the design is {spec.design}; remove it."
            )
    if spec.design == "ofat" and spec.replicates < OFAT_REPLICATES:
        rule = (
            f"the design ofat needs at least {OFAT_REPLICATES}, because it judges a level by its replicates"
        )
        yield wrong_value(("replicates",), spec.replicates, f"{rule}; raise it to {OFAT_REPLICATES} or more.")
    if spec.design != "ofat" and not spec.factors:
        rule = f"is an empty table, but the design {spec.design} needs a factor"
        yield broken_rule(("factors",), f'{rule}; add a table [factors.<key>], or write design = "ofat".')
    if spec.design == "ofat" and spec.factors and not spec.baseline:
        rule = "is missing; the design ofat needs the level of each factor while another one moves"
        yield broken_rule(("baseline",), f"{rule}; add a table [baseline].")
    if spec.design == "tuned" and spec.replicates > 1:
        yield wrong_value(("replicates",), spec.replicates, "the design tuned has no replicates; remove it.")
    if spec.design == "tuned" and spec.tuning is None:
        rule = "is missing; the design tuned needs a budget"
        yield broken_rule(("tuning",), f"{rule}; add a table [tuning] with for example trials = 20.")
    if spec.tuning is not None and spec.tuning.halving is not None:
        yield from _halving(spec.tuning.halving, spec.tuning, spec.epochs)


def _halving(factor: int, tuning: "TuningTable", epochs: int) -> Mistakes:
    """Check that there is something to halve."""
    path = ("tuning", "halving")
    if tuning.sampler != "random":
        rule = f"the sampler {tuning.sampler} learns from trials that were all trained in full"
        yield wrong_value(path, factor, f'{rule}; write sampler = "random", or remove it.')
    if tuning.trials < factor:
        rule = f"one in {factor} of {tuning.trials} trials is none, so there is no second rung"
        yield wrong_value(path, factor, f"{rule}; raise trials to {factor} or more, or remove it.")
    if epochs < factor:
        rule = f"a first rung of one epoch leads to {factor} in the second, and epochs is {epochs}"
        yield wrong_value(path, factor, f"{rule}; raise epochs to {factor} or more, or remove it.")


def _profile(spec: "SweepSpec") -> Mistakes:
    """Check the factor that each activation takes its best level of."""
    for place, name in enumerate(spec.profile if spec.design == "paired" else ()):
        table, path = spec.factors.get(name), ("factors", name)
        if table is None:
            rule = f"there is no factor of that name; add a table [factors.{name}] with its levels."
            yield wrong_value(("profile", place), name, rule)
            continue
        if len(spec.factors) == 1:
            rule = "no other factor makes the configurations; add one under [factors.*]."
            yield wrong_value(("profile", place), name, rule)
        if table.role == "condition":
            rule = "a profiled factor is no row of the table, since each activation takes its own best level"
            yield wrong_value((*path, "role"), table.role, f'{rule}; write "nuisance".')
        few, many = PROFILED_LEVELS
        if table.levels is None and table.ends:
            rule = "is a range, but every activation is trained at every level of a profiled factor"
            yield broken_rule(path, f"{rule}; write levels = [...] with {few} to {many} of them.")
        elif table.levels is not None and not few <= len(table.levels) <= many:
            rule = f"a profiled factor has {few} to {many} levels, each of them trained in every block"
            fix = "add some" if len(table.levels) < few else "keep those that matter most"
            yield wrong_value((*path, "levels"), table.levels, f"{rule}; {fix}.")
    if spec.profile and spec.metric.name.startswith("validation"):
        rule = "a profiled level is chosen by it, and the best of several looks better there than it is"
        metric = spec.metric.name.replace("validation", "test")
        yield wrong_value(("metric", "name"), spec.metric.name, f'{rule}; write "{metric}".')


def _names(spec: "SweepSpec") -> Mistakes:
    known, own = settings_of(spec.architecture), is_reference(spec.architecture)
    for path in [("factors", name) for name in spec.factors] + [("fixed", name) for name in spec.fixed]:
        table, name = path
        if table == "fixed" and name in spec.factors:
            yield broken_rule(path, "is fixed, but varies as a factor too; remove it from one of the two.")
        elif name in known:
            continue
        elif not own:
            yield broken_rule(path, f"is not a setting of {spec.architecture}; {nearest(name, known)}")
        elif not _ARGUMENT.fullmatch(name) or keyword.iskeyword(name):
            rule = "cannot name an argument of a function; use small letters, digits and _, a letter first"
            yield broken_rule(path, f"{rule}, and no word of Python's own.")
        elif name in TAKEN_NAMES:
            yield broken_rule(path, "is already a column of the results; give the argument another name.")


def _factors(spec: "SweepSpec") -> Mistakes:
    known, own = settings_of(spec.architecture), is_reference(spec.architecture)
    for name, table in spec.factors.items():
        path = ("factors", name)
        if table.relative and name != "learning_rate":
            yield broken_rule((*path, "relative"), "is only for learning_rate; remove it.")
        if spec.design == "ofat" and table.levels is None:
            rule = "is a range, but the design ofat moves each factor over a list"
            yield broken_rule(path, f"{rule}; write for example levels = [...].")
        if shape := [*_shape(path, table)]:
            yield from shape
        elif name in known or own:
            setting = known.get(name) or own_setting(name, table.values)
            check = _range if table.levels is None else _levels
            yield from check(name, table, setting)


def _shape(path: Path, table: "FactorTable") -> Mistakes:
    """Check that a factor is either a list of levels of one type or a range with two ends."""
    ends = [key for key in ("low", "high") if getattr(table, key) is not None]
    if table.levels is None:
        if not ends:
            rule = "has no levels; give levels = [...], or low and high for a range."
            yield broken_rule(path, rule)
        elif len(ends) == 1:
            other = "high" if ends == ["low"] else "low"
            yield broken_rule(
                (*path, other), f"is missing; a range has low and high, and only {ends[0]} is given."
            )
        return
    if ends:
        yield broken_rule(path, f"has levels and also {' and '.join(ends)}; keep the list or the range.")
    if table.step is not None:
        yield broken_rule((*path, "step"), "is for ranges, but this factor is a list of levels; remove it.")
    if len(table.levels) < 2:
        rule = "a factor needs at least two levels; add some, or move the setting to [fixed]."
        yield wrong_value((*path, "levels"), table.levels, rule)
    if len({_type_in_words(level) for level in table.levels}) > 1:
        rule = "the levels of a factor must be of one type; write all as numbers, names or true and false."
        yield wrong_value((*path, "levels"), table.levels, rule)


def _type_in_words(level: Level) -> str:
    if isinstance(level, bool):
        return "switch"
    return "name" if isinstance(level, str) else "number"


def _levels(name: str, table: "FactorTable", setting: Setting) -> Mistakes:
    path, levels = ("factors", name, "levels"), table.levels or ()
    if table.log and not setting.numeric:
        yield broken_rule(("factors", name, "log"), "is for numbers, and these levels are not; remove it.")
    for place, level in enumerate(levels):
        if complaint := setting.complaint(name, level):
            yield wrong_value((*path, place), level, complaint)
        elif level in levels[:place]:
            yield broken_rule(path, f"holds {shown(level)} twice; give each level once.")
        elif table.log and setting.numeric and float(level) <= 0:
            rule = "a logarithmic scale has no place for it; raise it above 0, or remove log."
            yield wrong_value((*path, place), level, rule)


def _range(name: str, table: "FactorTable", setting: Setting) -> Mistakes:
    path = ("factors", name)
    if not setting.numeric:
        yield broken_rule(path, f"is a range, but {name} is no number; write levels = [...].")
        return
    low, high = table.ends
    bad_ends = [
        wrong_value((*path, key), end, complaint)
        for key, end in (("low", low), ("high", high))
        if (complaint := setting.complaint(name, end))
    ]
    if bad_ends:
        yield from bad_ends
    elif low >= high:
        rule = f"must be less than high, which is {shown(high)}; a range holds more than one value."
        yield wrong_value((*path, "low"), low, rule)
    elif table.log and low <= 0:
        rule = "a logarithmic range begins above 0; raise it, or remove log."
        yield wrong_value((*path, "low"), low, rule)
    elif table.log and math.isinf(high / low):
        rule = "a logarithmic range spans at most 300 powers of ten; raise it."
        yield wrong_value((*path, "low"), low, rule)
    elif table.log and setting.step > 1:
        rule = f"is for any number, but {setting.owner} needs {setting.form} {setting.meaning}"
        yield broken_rule((*path, "log"), f"{rule}; remove it, or write levels = [...].")
    elif table.step is not None:
        yield from _step((*path, "step"), table.step, table, setting)


def _step(path: Path, step: int, table: "FactorTable", setting: Setting) -> Mistakes:
    low, high = table.ends
    if setting.kind != "whole number":
        yield broken_rule(path, "is for ranges of whole numbers; remove it, or list the levels.")
    elif table.log:
        yield broken_rule(path, "is given together with log; remove one of the two.")
    elif step < 1:
        yield wrong_value(path, step, "must be at least 1; raise it to 1 or more.")
    elif step % setting.step:
        rule = f"{setting.owner} needs {setting.form} {setting.meaning}"
        yield wrong_value(path, step, f"{rule}; write a multiple of {setting.step}, or remove it.")
    elif (high - low) % step:
        last = high - (high - low) % step
        rule = f"does not lead from {low} to {high}; write high = {last} or {last + step}."
        yield wrong_value(path, step, rule)


def _fixed(spec: "SweepSpec") -> Mistakes:
    known, own = settings_of(spec.architecture), is_reference(spec.architecture)
    for name, value in spec.fixed.items():
        path = ("fixed", name)
        if not isinstance(value, bool | int | float | str):
            if name != "learning_rate":
                yield broken_rule(
                    path, "is a table, and only learning_rate can be relative; write one value."
                )
                continue
            path, value = (*path, "value"), value.value
        if name in known or own:
            setting = known.get(name) or own_setting(name, (value,))
            if complaint := setting.complaint(name, value):
                yield wrong_value(path, value, complaint)


def _data(spec: "SweepSpec") -> Mistakes:
    """Check what depends on the images; of a user's own data set only `train_size` is known."""
    card = DATASETS.get(spec.dataset)
    if (
        card is not None
        and spec.architecture in ARCHITECTURES
        and (rule := too_small(spec.architecture, card.input_shape))
    ):
        yield wrong_value(("architecture",), spec.architecture, f"that {rule}")
    images = spec.train_size
    if card is not None:
        if spec.train_size is not None and spec.train_size > card.train_size:
            rule = f"{spec.dataset} has {card.train_size} training images; lower it, or remove it to use all."
            yield wrong_value(("train_size",), spec.train_size, rule)
        images = min(card.train_size, spec.train_size or card.train_size)
    for path, size in _uses(spec, "batch_size"):
        if images is None or int(size) <= images:
            continue
        if path == ("fixed", "batch_size") and "batch_size" not in spec.fixed:
            rule = (
                f"a batch has {size} images if nothing else is said; give a smaller batch_size under [fixed]."
            )
            yield wrong_value(("train_size",), spec.train_size, rule)
        else:
            rule = f"a batch cannot be larger than the training set of {images} images; lower it."
            yield wrong_value(path, size, rule)
    for path, level in _uses(spec, "augmentation"):
        if card is not None and not card.flip_allowed and level == "shift_flip":
            rule = f'a mirrored image of {spec.dataset} may mean something else; write "shift" or "none".'
            yield wrong_value(path, level, rule)


def _regularizer(spec: "SweepSpec") -> Mistakes:
    if "regularizer_strength" in spec.factors and {level for _, level in _uses(spec, "regularizer")} == {
        "none"
    }:
        rule = "varies without effect, because regularizer is none everywhere"
        yield broken_rule(
            ("factors", "regularizer_strength"),
            f'{rule}; write for example regularizer = "l2" under [fixed].',
        )


def _gains(spec: "SweepSpec") -> Mistakes:
    """Check that the activations of the catalogue have the gains that are asked for."""
    asked = [path for path, level in _uses(spec, "gain_matched_initialization") if level]
    for name in spec.activations if asked else ():
        if not is_reference(name):
            try:
                gains.gain(name)
            except InputError:
                rule = f"the gain of {name} is too large or too small to be matched"
                yield wrong_value(
                    asked[0], True, f"{rule}; remove the setting, or choose another activation."
                )


def _baseline(spec: "SweepSpec") -> Mistakes:
    if spec.design != "ofat":
        return
    levels = {factor.name: factor.levels or () for factor in spec.factor_list}
    for name in (name for name in levels if name not in spec.baseline):
        yield broken_rule(("baseline", name), f"is missing; choose one of {shown(levels[name])}.")
    for name, level in spec.baseline.items():
        if name not in levels:
            fix = nearest(name, levels) if levels else "remove it."
            yield broken_rule(("baseline", name), f"is not a factor of this spec; {fix}")
        elif not any(
            level == other and isinstance(level, bool) == isinstance(other, bool) for other in levels[name]
        ):
            rule = f"that is not a level of the factor; choose one of {shown(levels[name])}."
            yield wrong_value(("baseline", name), level, rule)


def _size(spec: "SweepSpec") -> Mistakes:
    """Check the number of trainings, which no key has by itself."""
    path, value = ("replicates",), spec.replicates
    if spec.tuning is not None:
        path, value = ("tuning", "trials"), spec.tuning.trials
        blocks = spec.tuning.searches(spec.epochs).trainings(1)
    elif spec.design == "ofat":
        blocks = spec.replicates * (1 + sum(len(factor.levels or ()) - 1 for factor in spec.factor_list))
    else:
        blocks = spec.configurations * (spec.replicates + spec.replicated_share)
        if spec.configurations >= spec.replicates:
            path, value = ("configurations",), spec.configurations
    profile = spec.profiled_factor
    levels = 1 if profile is None else len(profile.levels or ())
    trainings = round(blocks * levels * len(spec.activations))
    if trainings > MOST_TRAININGS:
        rule = f"that makes {trainings:,} trainings, and a sweep has at most {MOST_TRAININGS:,}; lower it."
        yield wrong_value(path, value, rule)


def _grid(spec: "SweepSpec") -> Mistakes:
    if spec.design != "paired":
        return
    distinct = math.prod(_level_count(factor) for factor in spec.drawn_factors)
    if spec.configurations > distinct:
        rule = f"the levels of the factors make only {distinct} different configurations"
        yield wrong_value(("configurations",), spec.configurations, f"{rule}; lower it, or add levels.")


def _room(spec: "SweepSpec") -> Mistakes:
    """Check what drawing alone tells, which takes seconds where there are too few configurations."""
    if spec.design != "paired" or design.has_room(spec.drawn_factors, spec.configurations):
        return
    found = len(design.distinct_rows(spec.drawn_factors, spec.seed, spec.configurations))
    if found < spec.configurations:
        rule = (
            f"the ranges of the factors, rounded to four digits, make only {found} different configurations "
            f"in 2^{design.MOST_DOUBLINGS} draws; lower it, or widen a range."
        )
        yield wrong_value(("configurations",), spec.configurations, rule)


def _level_count(factor: Factor) -> float:
    if factor.levels is not None:
        return len(factor.levels)
    if not factor.integer or factor.low is None or factor.high is None:
        return math.inf
    return (factor.high - factor.low) // (factor.step or 1) + 1


def _uses(spec: "SweepSpec", name: str) -> Iterator[tuple[Path, Level]]:
    """Yield each level of a setting in this sweep with its key; of a range only the ends."""
    table = spec.factors.get(name)
    if table is None:
        yield ("fixed", name), spec.constants[name]
    elif table.levels is not None:
        yield from ((("factors", name, "levels", place), level) for place, level in enumerate(table.levels))
    else:
        yield from (
            (("factors", name, key), end) for key, end in zip(("low", "high"), table.ends, strict=True)
        )
