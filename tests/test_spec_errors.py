"""Every mistake in a spec, by the full text of its sentence."""
# ruff: noqa: E501  (the sentences are compared whole)

import datetime
import math
from pathlib import Path
from typing import Any

import pytest
from small_specs import GONE, OFAT, OWN, PAIRED, PROFILED, TUNED, edited

from study.activations import canonical
from study.errors import InputError
from sweeps.spec import load, parse

# One mistake after the other, as a table:
# fmt: off
MISTAKES: list[tuple[dict[str, Any], str]] = [
    # names, types and bounds
    ({"epohcs": 3}, 's.toml: epohcs is not a known key; did you mean "epochs"?'),
    ({"a" * 65: 3}, 's.toml: "' + "a" * 60 + '…" is not a known key; ' "choose one of name, question, focus, activations, design, dataset, train_size, architecture, configurations, replicates, replicated_share, profile, epochs, delta, loss_cap, seed, threads, retries, epoch_timeout, noise_at, metric, factors, fixed, baseline, tuning."),
    ({"dropout": 0.1}, "s.toml: dropout is not a known key; it belongs under [fixed], or varies as [factors.dropout]."),
    ({"wdith": 3, "factors.depth.level": [3, 8]},
        's.toml: factors.depth.level is not a known key; did you mean "levels"?\n'
        "s.toml: wdith is not a known key; choose one of name, question, focus, activations, design, dataset, train_size, architecture, configurations, replicates, replicated_share, profile, epochs, delta, loss_cap, seed, threads, retries, epoch_timeout, noise_at, metric, factors, fixed, baseline, tuning."),
    ({"delta": GONE}, "s.toml: delta is missing; it is the smallest difference that matters, in points or nats, for example delta = 1.0."),
    ({"delta": GONE, "factors.depth.role": GONE},
        "s.toml: delta is missing; it is the smallest difference that matters, in points or nats, for example delta = 1.0.\n"
        's.toml: factors.depth.role is missing; it is "condition" (a row of the table) or "nuisance" (varied and averaged over), for example role = "condition".'),
    ({"metric": {"name": "test_accuracy"}}, 's.toml: metric.direction is missing; it is minimize for a loss and maximize for everything else, for example direction = "maximize".'),
    ({"metric": {"name": "test_accuracy", "direction": "maximize", "epochs": 15}}, "s.toml: metric.epochs is not a known key; epochs belongs to no table; move it above the first line in [square brackets]."),
    ({"metric": "test_accuracy"}, 's.toml: metric is "test_accuracy", but must be a table; begin it with the line [metric].'),
    ({"metric": {"name": "accuracy", "direction": "maximise"}},
        's.toml: metric.name is "accuracy", but that is not one of its values; did you mean "test_accuracy"?\n'
        's.toml: metric.direction is "maximise", but that is not one of its values; did you mean "maximize"?'),
    ({"epochs": "ten"}, 's.toml: epochs is "ten", but must be a whole number; write for example epochs = 15.'),
    ({"epochs": 15.0}, "s.toml: epochs is 15.0, but must be a whole number; write for example epochs = 15."),
    ({"epochs": True}, "s.toml: epochs is true, but must be a whole number; write for example epochs = 15."),
    ({"epochs": datetime.date(2026, 1, 1)}, "s.toml: epochs is 2026-01-01, but must be a whole number; write for example epochs = 15."),
    ({"epochs": 0}, "s.toml: epochs is 0, but must be at least 1; raise it, for example epochs = 15."),
    ({"epochs": 1_000_001}, "s.toml: epochs is 1000001, but must be at most 1000000; lower it, for example epochs = 15."),
    ({"delta": "one"}, 's.toml: delta is "one", but must be a number; write for example delta = 1.0.'),
    ({"delta": 0}, "s.toml: delta is 0, but must be more than 0; raise it above that, for example delta = 1.0."),
    ({"delta": math.inf}, "s.toml: delta is inf, but must be a finite number; write for example delta = 1.0."),
    ({"delta": 10**20}, "s.toml: delta is 100000000000000000000, but must be at most 1000000; lower it, for example delta = 1.0."),
    ({"loss_cap": math.nan}, "s.toml: loss_cap is nan, but must be a finite number; write for example loss_cap = 10.0."),
    ({"seed": -1}, "s.toml: seed is -1, but must be at least 0; raise it, for example seed = 2026."),
    ({"seed": 2**31}, "s.toml: seed is 2147483648, but must be less than 2147483648; lower it below that, for example seed = 2026."),
    ({"threads": 0}, "s.toml: threads is 0, but must be at least 1; raise it, for example threads = 1."),
    ({"replicates": 0}, "s.toml: replicates is 0, but must be at least 1; raise it, for example replicates = 1."),
    ({"replicated_share": 1.5}, "s.toml: replicated_share is 1.5, but must be at most 1; lower it, for example replicated_share = 0.2."),
    ({"name": "My sweep"}, "s.toml: name is \"My sweep\", but must be the sweep's name, 1 to 64 of the characters a-z 0-9 . _ - with a letter or digit first; write for example name = \"quickstart\"."),
    ({"name": "small\n"}, "s.toml: name is \"small\\n\", but must be the sweep's name, 1 to 64 of the characters a-z 0-9 . _ - with a letter or digit first; write for example name = \"quickstart\"."),
    ({"name": "a" * 65}, "s.toml: name is \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…\", but must be the sweep's name, 1 to 64 of the characters a-z 0-9 . _ - with a letter or digit first; write for example name = \"quickstart\"."),
    ({"name": "artifacts"}, 's.toml: name is "artifacts", but the home keeps a file or folder of its own under that name; choose another one.'),
    ({"name": "mlflow.db-wal"}, 's.toml: name is "mlflow.db-wal", but the home keeps a file or folder of its own under that name; choose another one.'),
    ({"question": ""}, 's.toml: question is "", but must have at least 1 character; write it out, for example question = "When does Mish beat ReLU?".'),
    ({"question": 3}, 's.toml: question is 3, but must be text in quotes; write for example question = "When does Mish beat ReLU?".'),
    ({"design": "pared"}, 's.toml: design is "pared", but that is not one of its values; did you mean "paired"?'),
    ({"design": 3}, "s.toml: design is 3, but that is not one of its values; choose one of ofat, paired, tuned."),
    ({"noise_at": "tset"}, 's.toml: noise_at is "tset", but that is not one of its values; did you mean "test"?'),
    ({"factors": GONE}, "s.toml: factors is missing; it is what varies beside the activation, a table [factors.<key>] each."),
    ({"factors": {}}, 's.toml: factors is an empty table, but the design paired needs a factor; add a table [factors.<key>], or write design = "ofat".'),
    ({"factors.depth": [3, 8]}, "s.toml: factors.depth is [3, 8], but must be a table; begin it with the line [factors.depth]."),
    ({"a b\n": 1}, 's.toml: "a b\\n" is not a known key; choose one of name, question, focus, activations, design, dataset, train_size, architecture, configurations, replicates, replicated_share, profile, epochs, delta, loss_cap, seed, threads, retries, epoch_timeout, noise_at, metric, factors, fixed, baseline, tuning.'),
    # what is compared
    ({"activations": "relu"}, 's.toml: activations is "relu", but must be a list in square brackets; write for example activations = ["relu", "swish"].'),
    ({"activations": []}, 's.toml: activations is [], but must hold at least 1; add one, for example activations = ["relu", "swish"].'),
    ({"activations": ["relu", 3]}, 's.toml: activations holds 3, but must be text in quotes; write for example activations = ["relu", "swish"].'),
    ({"activations": ["relu", "relu"]}, 's.toml: activations holds "relu" twice; name each rival once.'),
    ({"activations": ["relu", "mish"]}, 's.toml: activations holds "mish", but that is the focus itself; name only its rivals.'),
    ({"focus": "beta_mish(1.5)"}, 's.toml: activations holds "beta_mish(1.5)", but that is the focus itself; name only its rivals.'),
    ({"activations": ["my functions:wavy"]}, 's.toml: activations holds "my functions:wavy", but a function of your own is written "package.module:function"; correct it.'),
    ({"dataset": "digit"}, 's.toml: dataset is "digit", but no data set of that name is known; did you mean "digits"?'),
    ({"architecture": "mpl"}, 's.toml: architecture is "mpl", but no architecture of that name is known; did you mean "mlp"?'),
    ({"architecture": "networks.py:build(3)"}, 's.toml: architecture is "networks.py:build(3)", but a function of your own is written "package.module:function"; correct it.'),
    ({"metric": {"name": "test_accuracy", "direction": "minimize"}}, 's.toml: metric.direction is "minimize", but test_accuracy is better when it is larger; write direction = "maximize".'),
    ({"metric": {"name": "test_loss", "direction": "maximize"}}, 's.toml: metric.direction is "maximize", but test_loss is better when it is smaller; write direction = "minimize".'),
    ({"loss_cap": 1.0}, "s.toml: loss_cap is 1.0, but must be more than delta, which is 1.0; 10 x delta is usual."),
    ({"delta": 3, "loss_cap": 2}, "s.toml: loss_cap is 2.0, but must be more than delta, which is 3.0; 10 x delta is usual."),
    # factors
    ({"factors.dropuot": {"role": "nuisance", "levels": [0, 0.5]}}, 's.toml: factors.dropuot is not a setting of mlp; did you mean "dropout"?'),
    ({"factors.depth.role": GONE}, 's.toml: factors.depth.role is missing; it is "condition" (a row of the table) or "nuisance" (varied and averaged over), for example role = "condition".'),
    ({"factors.depth.role": "nuisence"}, 's.toml: factors.depth.role is "nuisence", but that is not one of its values; did you mean "nuisance"?'),
    ({"factors.depth.levels": GONE}, "s.toml: factors.depth has no levels; give levels = [...], or low and high for a range."),
    ({"factors.depth.levels": []}, "s.toml: factors.depth.levels is [], but a factor needs at least two levels; add some, or move the setting to [fixed]."),
    ({"factors.depth.levels": [3]}, "s.toml: factors.depth.levels is [3], but a factor needs at least two levels; add some, or move the setting to [fixed]."),
    ({"factors.depth.levels": 3}, "s.toml: factors.depth.levels is 3, but must be a list in square brackets; write for example levels = [3, 8]."),
    ({"factors.depth.levels": [3, 3]}, "s.toml: factors.depth.levels holds 3 twice; give each level once."),
    ({"factors.depth.levels": [3, "deep"]}, 's.toml: factors.depth.levels is [3, "deep"], but the levels of a factor must be of one type; write all as numbers, names or true and false.'),
    ({"factors.depth.levels": [3, True]}, "s.toml: factors.depth.levels is [3, true], but the levels of a factor must be of one type; write all as numbers, names or true and false."),
    ({"factors.depth.levels": [3, [8]]}, "s.toml: factors.depth.levels holds [8], but a level is a number, a name in quotes, true or false."),
    ({"factors.depth.levels": [3, math.nan]}, "s.toml: factors.depth.levels holds nan, but must be a finite number of at most 2^53 in size; correct it."),
    ({"factors.depth.levels": [3, 2**60]}, "s.toml: factors.depth.levels holds 1152921504606846976, but must be a finite number of at most 2^53 in size; correct it."),
    ({"factors.depth.levels": [3, 8.5]}, "s.toml: factors.depth.levels holds 8.5, but depth must be a whole number; write for example 4."),
    ({"factors.depth.levels": [1, 3]}, "s.toml: factors.depth.levels holds 1, but mlp needs at least 2 weight layers (hidden layers and the output layer); raise it to 2 or more."),
    ({"factors.depth.levels": [3, 2000]}, "s.toml: factors.depth.levels holds 2000, but mlp takes at most 1000 weight layers (hidden layers and the output layer); lower it to 1000 or less."),
    ({"architecture": "convmlp"}, "s.toml: factors.depth.levels holds 3, but convmlp needs at least 4 weight layers (hidden layers and the output layer); raise it to 4 or more."),
    ({"architecture": "resnet_v1", "fixed": {}, "factors.depth.levels": [20, 21]}, "s.toml: factors.depth.levels holds 21, but resnet_v1 needs 6n + 2 weight layers (hidden layers and the output layer); write 20 or 26."),
    ({"architecture": "resnet_v2", "fixed": {}, "factors.depth.levels": [20, 55]}, "s.toml: factors.depth.levels holds 55, but resnet_v2 needs 9n + 2 weight layers (hidden layers and the output layer); write 47 or 56."),
    ({"architecture": "inception_resnet_v2", "fixed": {}, "factors.depth.levels": [32, 100], "dataset": "mnist"}, "s.toml: factors.depth.levels holds 100, but inception_resnet_v2 needs 16n + 16 weight layers (hidden layers and the output layer); write 96 or 112."),
    ({"architecture": "resnet_v1", "fixed": {}, "factors.depth.levels": [2, 20]}, "s.toml: factors.depth.levels holds 2, but resnet_v1 needs at least 8 weight layers (hidden layers and the output layer); raise it to 8 or more."),
    ({"architecture": "resnet_v1", "fixed": {"depth": 31}, "factors.depth": GONE}, "s.toml: fixed.depth is 31, but resnet_v1 needs 6n + 2 weight layers (hidden layers and the output layer); write 26 or 32."),
    ({"architecture": "resnet_v1", "fixed": {}, "factors.depth": {"role": "condition", "low": 20, "high": 32, "step": 4}}, "s.toml: factors.depth.step is 4, but resnet_v1 needs 6n + 2 weight layers (hidden layers and the output layer); write a multiple of 6, or remove it."),
    ({"architecture": "resnet_v1", "fixed": {}, "factors.depth": {"role": "condition", "low": 20, "high": 32, "log": True}}, "s.toml: factors.depth.log is for any number, but resnet_v1 needs 6n + 2 weight layers (hidden layers and the output layer); remove it, or write levels = [...]."),
    ({"architecture": "capsule", "fixed": {}, "factors.depth": GONE}, 's.toml: architecture is "capsule", but that needs images of at least 14x14 pixels, and these have 8x8; choose another data set, or another architecture.'),
    ({"factors.depth.low": 3}, "s.toml: factors.depth has levels and also low; keep the list or the range."),
    ({"factors.depth.step": 1}, "s.toml: factors.depth.step is for ranges, but this factor is a list of levels; remove it."),
    ({"factors.learning_rate.low": GONE}, "s.toml: factors.learning_rate.low is missing; a range has low and high, and only high is given."),
    ({"factors.learning_rate.high": GONE}, "s.toml: factors.learning_rate.high is missing; a range has low and high, and only low is given."),
    ({"factors.learning_rate.low": 3.0}, "s.toml: factors.learning_rate.low is 3.0, but must be less than high, which is 3; a range holds more than one value."),
    ({"factors.learning_rate.low": 5}, "s.toml: factors.learning_rate.low is 5, but must be less than high, which is 3; a range holds more than one value."),
    ({"factors.learning_rate.low": 0}, "s.toml: factors.learning_rate.low is 0, but learning_rate must be more than 0; raise it above 0."),
    ({"factors.learning_rate.low": "0.3"}, 's.toml: factors.learning_rate.low is "0.3", but must be a number without quotes.'),
    ({"factors.learning_rate.high": math.inf}, "s.toml: factors.learning_rate.high is inf, but must be a finite number of at most 2^53 in size; correct it."),
    ({"factors.learning_rate.step": 1}, "s.toml: factors.learning_rate.step is for ranges of whole numbers; remove it, or list the levels."),
    ({"factors.learning_rate.log": 1}, "s.toml: factors.learning_rate.log is 1, but must be true or false without quotes; write for example log = true."),
    ({"factors.input_noise": {"role": "nuisance", "low": 0.0, "high": 1.0, "log": True}}, "s.toml: factors.input_noise.low is 0.0, but a logarithmic range begins above 0; raise it, or remove log."),
    ({"factors.learning_rate.low": 1e-310}, "s.toml: factors.learning_rate.low is 1e-310, but a logarithmic range spans at most 300 powers of ten; raise it."),
    ({"factors.dropout": {"role": "nuisance", "levels": [0, 0.5], "log": True}}, "s.toml: factors.dropout.levels holds 0, but a logarithmic scale has no place for it; raise it above 0, or remove log."),
    ({"factors.dropout": {"role": "nuisance", "levels": [0.5, 1.0]}}, "s.toml: factors.dropout.levels holds 1.0, but dropout must be less than 1; lower it below 1."),
    ({"factors.dropout": {"role": "nuisance", "low": -0.1, "high": 1.0}},
        "s.toml: factors.dropout.low is -0.1, but dropout must be at least 0; raise it to 0 or more.\n"
        "s.toml: factors.dropout.high is 1.0, but dropout must be less than 1; lower it below 1."),
    ({"factors.dropout": {"role": "nuisance", "levels": [0.2, 0.5], "relative": True}}, "s.toml: factors.dropout.relative is only for learning_rate; remove it."),
    ({"factors.depth": {"role": "condition", "low": 3, "high": 8, "step": 4}}, "s.toml: factors.depth.step is 4, but does not lead from 3 to 8; write high = 7 or 11."),
    ({"factors.depth": {"role": "condition", "low": 3, "high": 8, "step": 0}}, "s.toml: factors.depth.step is 0, but must be at least 1; raise it to 1 or more."),
    ({"factors.depth": {"role": "condition", "low": 3, "high": 8, "step": 1, "log": True}}, "s.toml: factors.depth.step is given together with log; remove one of the two."),
    ({"factors.depth": {"role": "condition", "low": 1, "high": 8}}, "s.toml: factors.depth.low is 1, but mlp needs at least 2 weight layers (hidden layers and the output layer); raise it to 2 or more."),
    ({"factors.depth": {"role": "condition", "low": 3.0, "high": 8}}, "s.toml: factors.depth.low is 3.0, but depth must be a whole number; write for example 4."),
    ({"factors.batch_normalization": {"role": "condition", "levels": [0, 1]}},
        "s.toml: factors.batch_normalization.levels holds 0, but batch_normalization must be true or false; write for example false.\n"
        "s.toml: factors.batch_normalization.levels holds 1, but batch_normalization must be true or false; write for example false."),
    ({"factors.batch_normalization": {"role": "condition", "low": 0, "high": 1}}, "s.toml: factors.batch_normalization is a range, but batch_normalization is no number; write levels = [...]."),
    ({"factors.optimizer.levels": ["sgd", "adamm"]}, 's.toml: factors.optimizer.levels holds "adamm", but no optimizer of that name is known; did you mean "adam"?'),
    ({"factors.optimizer.log": True}, "s.toml: factors.optimizer.log is for numbers, and these levels are not; remove it."),
    ({"factors.initializer": {"role": "nuisance", "levels": ["he", "zeros"]}},
        's.toml: factors.initializer.levels holds "he", but no initializer of that name is known; choose one of random_normal, random_uniform, truncated_normal, orthogonal, lecun_uniform, lecun_normal, glorot_uniform, glorot_normal, he_uniform, he_normal.\n'
        's.toml: factors.initializer.levels holds "zeros", but no initializer of that name is known; choose one of random_normal, random_uniform, truncated_normal, orthogonal, lecun_uniform, lecun_normal, glorot_uniform, glorot_normal, he_uniform, he_normal.'),
    ({"fixed.gain_matched_initialization": True, "activations": ["beta_mish(1e-9)"]}, "s.toml: fixed.gain_matched_initialization is true, but the gain of beta_mish(1e-09) is too large or too small to be matched; remove the setting, or choose another activation."),
    ({"fixed.learning_rate_policy": "cosin"}, "s.toml: fixed.learning_rate_policy is \"cosin\", but no learning_rate_policy of that name is known; did you mean \"cosine\"?"),
    ({"factors.gradient_clipping": {"role": "nuisance", "levels": [0, -1.0]}}, "s.toml: factors.gradient_clipping.levels holds -1.0, but gradient_clipping must be at least 0; raise it to 0 or more."),
    ({"factors.regularizer_strength": {"role": "nuisance", "levels": [0.001, 0.01]}}, 's.toml: factors.regularizer_strength varies without effect, because regularizer is none everywhere; write for example regularizer = "l2" under [fixed].'),
    # fixed settings
    ({"fixed.depth": 3}, "s.toml: fixed.depth is fixed, but varies as a factor too; remove it from one of the two."),
    ({"fixed.dropuot": 0.5}, 's.toml: fixed.dropuot is not a setting of mlp; did you mean "dropout"?'),
    ({"fixed.dropout": "much"}, 's.toml: fixed.dropout is "much", but dropout must be a number; write for example 0.0.'),
    ({"fixed.dropout": [0.5]}, "s.toml: fixed.dropout is [0.5], but a level is a number, a name in quotes, true or false."),
    ({"fixed.batch_normalization": 1}, "s.toml: fixed.batch_normalization is 1, but batch_normalization must be true or false; write for example false."),
    ({"fixed.dropout": {"relative": True, "value": 0.5}}, "s.toml: fixed.dropout is a table, and only learning_rate can be relative; write one value."),
    ({"factors.learning_rate": GONE, "configurations": 4, "fixed.learning_rate": {"relative": True}}, "s.toml: fixed.learning_rate.value is missing; it is the rate, or the multiple of the base rate, for example value = 0.5."),
    ({"factors.learning_rate": GONE, "configurations": 4, "fixed.learning_rate": {"relative": 1, "value": "a", "b": 1}},
        's.toml: fixed.learning_rate.value is "a", but must be a number without quotes.\n'
        "s.toml: fixed.learning_rate.relative is 1, but must be true or false without quotes; write for example relative = true.\n"
        "s.toml: fixed.learning_rate.b is not a known key; choose one of value, relative."),
    ({"factors.learning_rate": GONE, "configurations": 4, "fixed.learning_rate": {"relative": False, "value": 0}}, "s.toml: fixed.learning_rate.value is 0, but learning_rate must be more than 0; raise it above 0."),
    ({"factors.learning_rate": GONE, "configurations": 4, "fixed.learning_rate": -0.1}, "s.toml: fixed.learning_rate is -0.1, but learning_rate must be more than 0; raise it above 0."),
    # the data
    ({"fixed.batch_size": 1079}, "s.toml: fixed.batch_size is 1079, but a batch cannot be larger than the training set of 1078 images; lower it."),
    ({"train_size": 1079}, "s.toml: train_size is 1079, but digits has 1078 training images; lower it, or remove it to use all."),
    ({"train_size": 100, "factors.batch_size": {"role": "condition", "levels": [16, 128]}}, "s.toml: factors.batch_size.levels holds 128, but a batch cannot be larger than the training set of 100 images; lower it."),
    ({"train_size": 100, "factors.batch_size": {"role": "condition", "low": 16, "high": 128, "log": True}}, "s.toml: factors.batch_size.high is 128, but a batch cannot be larger than the training set of 100 images; lower it."),
    ({"train_size": 32}, "s.toml: train_size is 32, but a batch has 64 images if nothing else is said; give a smaller batch_size under [fixed]."),
    ({"dataset": "my_data:faces", "train_size": 32}, "s.toml: train_size is 32, but a batch has 64 images if nothing else is said; give a smaller batch_size under [fixed]."),
    ({"fixed.dropout": 1.5}, "s.toml: fixed.dropout is 1.5, but dropout must be less than 1; lower it below 1."),
    ({"focus": "m" * 300}, 's.toml: focus is "mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm…", but must have at most 200 characters; shorten it, for example focus = "mish".'),
    ({"fixed.augmentation": "shift_flip"}, 's.toml: fixed.augmentation is "shift_flip", but a mirrored image of digits may mean something else; write "shift" or "none".'),
    ({"factors.augmentation": {"role": "nuisance", "levels": ["none", "shift_flip"]}}, 's.toml: factors.augmentation.levels holds "shift_flip", but a mirrored image of digits may mean something else; write "shift" or "none".'),
    ({**TUNED, "replicates": 3}, "s.toml: replicates is 3, but the design tuned has no replicates; remove it."),
    # designs
    ({"configurations": 100_000, "replicates": 10_000}, "s.toml: configurations is 100000, but that makes 3,000,060,000 trainings, and a sweep has at most 2,000,000; lower it."),
    ({"configurations": 100, "replicates": 10_000}, "s.toml: replicates is 10000, but that makes 3,000,060 trainings, and a sweep has at most 2,000,000; lower it."),
    ({**OFAT, "replicates": 10_000, "factors.optimizer.levels": ["sgd", "adam", "nadam"], "factors.depth.levels": list(range(3, 100))}, "s.toml: replicates is 10000, but that makes 2,970,000 trainings, and a sweep has at most 2,000,000; lower it."),
    ({**TUNED, "tuning": {"trials": 100_000}, "activations": [f"beta_mish({n})" for n in range(2, 23)]}, "s.toml: tuning.trials is 100000, but that makes 2,200,220 trainings, and a sweep has at most 2,000,000; lower it."),
    ({"configurations": 41, "factors.learning_rate": {"role": "nuisance", "low": 1.0, "high": 1.009, "relative": True}}, "s.toml: configurations is 41, but the ranges of the factors, rounded to four digits, make only 40 different configurations in 2^20 draws; lower it, or widen a range."),
    ({"factors.learning_rate": GONE, "configurations": 5}, "s.toml: configurations is 5, but the levels of the factors make only 4 different configurations; lower it, or add levels."),
    ({"factors.learning_rate": GONE, "factors.depth": {"role": "condition", "low": 2, "high": 8, "step": 3}}, "s.toml: configurations is 40, but the levels of the factors make only 6 different configurations; lower it, or add levels."),
    ({"baseline": {"depth": 3}}, "s.toml: baseline belongs to the design ofat, and the design is paired; remove it."),
    ({"tuning": {"trials": 20}}, "s.toml: tuning belongs to the design tuned, and the design is paired; remove it."),
    ({**OFAT, "replicates": 9}, "s.toml: replicates is 9, but the design ofat needs at least 10, because it judges a level by its replicates; raise it to 10 or more."),
    ({**OFAT, "replicates": GONE}, "s.toml: replicates is 1, but the design ofat needs at least 10, because it judges a level by its replicates; raise it to 10 or more."),
    ({**OFAT, "baseline": GONE}, "s.toml: baseline is missing; the design ofat needs the level of each factor while another one moves; add a table [baseline]."),
    ({**OFAT, "baseline": {"depth": 3}}, 's.toml: baseline.optimizer is missing; choose one of ["sgd", "adam"].'),
    ({**OFAT, "baseline.depth": 4}, "s.toml: baseline.depth is 4, but that is not a level of the factor; choose one of [3, 8]."),
    ({**OFAT, "baseline.depth": "3"}, 's.toml: baseline.depth is "3", but that is not a level of the factor; choose one of [3, 8].'),
    ({**OFAT, "baseline.dropout": 0}, "s.toml: baseline.dropout is not a factor of this spec; choose one of depth, optimizer."),
    ({**OFAT, "configurations": 40, "replicated_share": 0.1},
        "s.toml: configurations belongs to the design paired, and the design is ofat; remove it.\n"
        "s.toml: replicated_share belongs to the design paired, and the design is ofat; remove it."),
    ({**OFAT, "factors": {}}, "s.toml: baseline.depth is not a factor of this spec; remove it.\ns.toml: baseline.optimizer is not a factor of this spec; remove it."),
    ({**OFAT, "factors.depth": {"role": "condition", "low": 3, "high": 8}}, "s.toml: factors.depth is a range, but the design ofat moves each factor over a list; write for example levels = [...]."),
    ({**TUNED, "tuning": GONE}, "s.toml: tuning is missing; the design tuned needs a budget; add a table [tuning] with for example trials = 20."),
    ({**TUNED, "tuning": {"trials": 0, "sampler": "grid", "confirm": 0}},
        "s.toml: tuning.trials is 0, but must be at least 1; raise it, for example trials = 20.\n"
        's.toml: tuning.sampler is "grid", but that is not one of its values; choose one of random, tpe, gp.\n'
        "s.toml: tuning.confirm is 0, but must be at least 1; raise it, for example confirm = 10."),
    ({**TUNED, "tuning": {"trials": 9, "halving": 1}}, "s.toml: tuning.halving is 1, but must be at least 2; raise it, for example halving = 3."),
    ({**TUNED, "tuning": {"trials": 9, "halving": 2.5}}, "s.toml: tuning.halving is 2.5, but must be a whole number; write for example halving = 3."),
    ({**TUNED, "tuning": {"trials": 9, "sampler": "tpe", "halving": 3}}, 's.toml: tuning.halving is 3, but the sampler tpe learns from trials that were all trained in full; write sampler = "random", or remove it.'),
    ({**TUNED, "tuning": {"trials": 2, "halving": 3}}, "s.toml: tuning.halving is 3, but one in 3 of 2 trials is none, so there is no second rung; raise trials to 3 or more, or remove it."),
    ({**TUNED, "tuning": {"trials": 9, "halving": 3}, "epochs": 2}, "s.toml: tuning.halving is 3, but a first rung of one epoch leads to 3 in the second, and epochs is 2; raise epochs to 3 or more, or remove it."),
    # a profiled learning rate
    ({"profile": ["depth"]}, 's.toml: profile holds "depth", but that is not one of its values; choose one of learning_rate.'),
    ({"profile": "learning_rate"}, 's.toml: profile is "learning_rate", but must be a list in square brackets; write for example profile = ["learning_rate"].'),
    ({"profile": ["learning_rate", "learning_rate"]}, 's.toml: profile is ["learning_rate", "learning_rate"], but must hold at most 1; remove some, for example profile = ["learning_rate"].'),
    ({"profile": ["learning_rate"]}, "s.toml: factors.learning_rate is a range, but every activation is trained at every level of a profiled factor; write levels = [...] with 3 to 5 of them."),
    ({"profile": ["learning_rate"], "factors.learning_rate": GONE}, 's.toml: profile holds "learning_rate", but there is no factor of that name; add a table [factors.learning_rate] with its levels.'),
    ({**PROFILED, "factors.learning_rate.levels": [0.3, 1]}, "s.toml: factors.learning_rate.levels is [0.3, 1], but a profiled factor has 3 to 5 levels, each of them trained in every block; add some."),
    ({**PROFILED, "factors.learning_rate.levels": [0.1, 0.2, 0.3, 0.5, 1, 2]}, "s.toml: factors.learning_rate.levels is [0.1, 0.2, 0.3, 0.5, 1, 2], but a profiled factor has 3 to 5 levels, each of them trained in every block; keep those that matter most."),
    ({**PROFILED, "factors.learning_rate.role": "condition"}, 's.toml: factors.learning_rate.role is "condition", but a profiled factor is no row of the table, since each activation takes its own best level; write "nuisance".'),
    ({**PROFILED, "factors.depth": GONE, "factors.optimizer": GONE}, 's.toml: profile holds "learning_rate", but no other factor makes the configurations; add one under [factors.*].'),
    ({**PROFILED, "metric": {"name": "validation_accuracy", "direction": "maximize"}}, 's.toml: metric.name is "validation_accuracy", but a profiled level is chosen by it, and the best of several looks better there than it is; write "test_accuracy".'),
    ({**PROFILED, "configurations": 5}, "s.toml: configurations is 5, but the levels of the factors make only 4 different configurations; lower it, or add levels."),
    ({**OFAT, "profile": ["learning_rate"]}, "s.toml: profile belongs to the design paired, and the design is ofat; remove it."),
    ({**TUNED, "profile": ["learning_rate"]}, "s.toml: profile belongs to the design paired, and the design is tuned; remove it."),
    # your own architecture
    ({**OWN, "factors.Heads": {"role": "condition", "levels": [1, 2]}}, "s.toml: factors.Heads cannot name an argument of a function; use small letters, digits and _, a letter first, and no word of Python's own."),
    ({**OWN, "factors.lambda": {"role": "condition", "levels": [1, 2]}}, "s.toml: factors.lambda cannot name an argument of a function; use small letters, digits and _, a letter first, and no word of Python's own."),
    ({**OWN, "factors.epochs": {"role": "condition", "levels": [1, 2]}}, "s.toml: factors.epochs is already a column of the results; give the argument another name."),
    ({**OWN, "factors.heads": {"role": "condition", "levels": [1, "two"]}}, 's.toml: factors.heads.levels is [1, "two"], but the levels of a factor must be of one type; write all as numbers, names or true and false.'),
]
# fmt: on


def refusal(text: str) -> str:
    with pytest.raises(InputError) as caught:
        parse(text, "s.toml")
    return str(caught.value)


@pytest.mark.parametrize(("changes", "sentence"), MISTAKES, ids=range(len(MISTAKES)))
def test_a_mistake_has_its_sentence(changes: dict[str, Any], sentence: str) -> None:
    assert refusal(edited(changes)) == sentence


def test_the_specs_that_the_table_changes_are_right() -> None:
    own = {**OWN, "factors.heads": {"role": "condition", "levels": [1, 2]}}
    for changes in ({}, OFAT, TUNED, PROFILED, own):
        parse(edited(changes), "s.toml")


@pytest.mark.parametrize("name", ["mihs", "beta_mish(-1)", "relu(2)", "mi sh"])
def test_what_is_wrong_with_an_activation_is_said_by_the_activations(name: str) -> None:
    with pytest.raises(InputError) as caught:
        canonical(name)
    assert refusal(edited({"focus": name})) == f"s.toml: focus: {caught.value}"
    assert refusal(edited({"activations": ["relu", name]})) == f"s.toml: activations: {caught.value}"


def test_the_nearest_activation_is_suggested_on_one_line() -> None:
    assert "did you mean 'mish'?" in refusal(edited({"focus": "mihs"}))
    assert refusal(edited({"focus": "mi\nsh\x1b"})).isprintable()


def test_after_five_mistakes_the_others_are_counted() -> None:
    wrong: dict[str, Any] = {key: [] for key in ("name", "question", "focus", "epochs", "delta")}
    assert refusal(edited({**wrong, "seed": -1})).splitlines()[5:] == [
        "s.toml: 1 more mistake is not shown; correct these first."
    ]
    assert refusal(edited({**wrong, "seed": -1, "threads": 0})).splitlines()[5:] == [
        "s.toml: 2 more mistakes are not shown; correct these first."
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "epochs = ",
            "s.toml: the end of the file is not valid TOML: invalid value; text needs quotes, and true and false are written small.",
        ),
        (
            'name = "a"\nepochs = ten',
            "s.toml: line 2, column 10 is not valid TOML: invalid value; text needs quotes, and true and false are written small.",
        ),
        (
            "epochs = 1\nepochs = 2\n",
            "s.toml: line 2, column 11 is not valid TOML: a key or table is given twice; keep one of them.",
        ),
        (
            "[metric]\n[metric]\n",
            "s.toml: line 2, column 8 is not valid TOML: a key or table is given twice; keep one of them.",
        ),
        ('name = "small', "s.toml: the end of the file is not valid TOML: unterminated string."),
        (
            "epochs 15",
            "s.toml: line 1, column 8 is not valid TOML: expected '=' after a key in a key/value pair.",
        ),
        ("a = " + "[" * 100_000, "s.toml: the brackets are nested too deeply; a spec needs two levels."),
        ("epochs = " + "9" * 5000, "s.toml: a number is too long to be read; shorten it."),
    ],
    ids=range(8),
)
def test_broken_toml_is_placed(text: str, sentence: str) -> None:
    assert refusal(text) == sentence


def test_a_number_that_python_does_not_write_out_is_not_written_out() -> None:
    text = PAIRED.replace("epochs = 15", "epochs = 0x" + "f" * 5000)
    assert (
        refusal(text)
        == "s.toml: epochs is a number of more than 60 digits, but must be at most 1000000; lower it, for example epochs = 15."
    )


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    latin = tmp_path / "latin.toml"
    latin.write_bytes('question = "Für wen?"'.encode("latin-1"))
    large = tmp_path / "large.toml"
    large.write_bytes(b"#" * 1_000_001)
    for path, sentence in (
        (tmp_path / "none.toml", "there is no such file; check the path of the spec."),
        (tmp_path, "this is a folder; name the TOML file in it."),
        (latin, "byte 13 is not UTF-8; save the file with the encoding UTF-8."),
        (large, "the file is larger than 1 MB; a spec is a short TOML file."),
        (latin / "below.toml", "the file cannot be read (Not a directory)."),
    ):
        with pytest.raises(InputError) as caught:
            load(path)
        assert str(caught.value) == f"{path}: {sentence}"


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "marked.toml"
    path.write_bytes(b"\xef\xbb\xbf" + PAIRED.encode())
    assert load(path) == parse(PAIRED, "s.toml")
