"""The driver of a sweep: what is open while it runs, and who is told of each result."""

import json
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from study import environment, ledger
from study.dashboard import Results
from study.errors import InputError
from study.ledger import Entry, Ledger, Record
from study.packing import Group, Pack, groups
from study.question import Question
from study.reports import Report, Split
from study.tracking import Tracker
from study.training import Status, Training, digest_of
from study.whole_files import write_whole
from sweeps import cross_check, design, plan
from sweeps.costs import cost_of
from sweeps.design import PlannedTraining
from sweeps.engines import device_kind, grouped
from sweeps.executors import ChildExecutor, child_environment
from sweeps.home import Home
from sweeps.looks import Looks
from sweeps.monitor import Monitor
from sweeps.ray_process import RayProcess
from sweeps.ray_workers import Cluster
from sweeps.spec import SweepSpec
from sweeps.training_process import Ready, Setup
from sweeps.trials import Trials, block_value, open_storage
from sweeps.tuning import Tuner
from sweeps.workers import Workers, count_for, units_of

if TYPE_CHECKING:
    import optuna

_PROGRESS_SECONDS = 2.0
"""Shortest time between two words to MLflow on epochs."""

_BACKLOG = 200
"""Runs that MLflow takes over in a few seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How to run, as opposed to what: none of it moves a result without being in the fingerprint.

    Parameters
    ----------
    engine : str
        Key of `sweeps.training_process.ENGINES`.
    data : Path or None
        Folder with data sets.
    import_from : Path
        Where a user's own modules lie.
    tracking_uri : str or None
        MLflow tracking URI; None for the database in the home.
    storage : str or None
        Optuna storage URL; None for the journal in the home.
    accept_mixed : bool
        Whether to go on under another environment than the results so far.
    workers : int or None
        Training processes side by side, which moves no result; None for as many as the machine has room for.
    cluster : Cluster or None
        Ray cluster on which the trainings run; None for processes of this machine.
    """

    engine: str
    data: Path | None
    import_from: Path
    tracking_uri: str | None = None
    storage: str | None = None
    accept_mixed: bool = False
    workers: int | None = None
    cluster: Cluster | None = None


class Driver:
    """What is open while a sweep runs: storage, ledger, tracker, training process."""

    def __init__(
        self,
        spec: SweepSpec,
        text: str,
        home: Home,
        options: Options,
        monitor: Monitor,
        question: Question,
        record: Record | None,
    ) -> None:
        self._spec = spec
        self._text = text
        self._home = home
        self._options = options
        self._monitor = monitor
        self._question = question
        self._record = record
        self._storage: optuna.storages.BaseStorage = open_storage(home.journal, options.storage)
        self._workers = options.workers or count_for(device_kind(), spec.threads)
        if question.tuning is not None and question.tuning.adaptive:
            self._workers = 1  # a second process would be started anew for each of the small parts
        self._compiled = home.compiled / digest_of(environment.processor())
        self._environment = ExitStack()
        self._executor: Workers | RayProcess | None = None
        self._ledger: Ledger | None = None
        self._tracker: Tracker | None = None
        self._kind = "cpu"
        self._done = 0
        self._failed = 0
        self._epochs = 0
        self._shown = 0.0
        self._fingerprint: Mapping[str, Any] = record.fingerprints[-1] if record else {}
        self._sizes: dict[str, int] = dict(record.sizes) if record else {}

    def train(
        self, planned: list[PlannedTraining], to_train: list[PlannedTraining], missing: int, looks: Looks
    ) -> None:
        """Train what is missing and record it."""
        if self._options.cluster is None:  # before the tracker has its thread
            self._environment.enter_context(child_environment(self._spec.threads, self._compiled))
        known = self._record.entries if self._record else ()
        if missing:
            self._fingerprint = self._start(planned or plan.planned_trainings(self._spec), to_train)
        self._write_down(self._fingerprint)
        self._tracker = Tracker(
            self._options.tracking_uri or self._home.tracking_uri,
            self._home.artifacts,
            self._question,
            self._text,
            self._fingerprint,
        )
        if self._spec.design == "tuned":
            self._monitor.begin(self._question, len(known), 0)
            self._train_tuned(known, missing)
            return
        self._train_designed(planned, known, looks)

    def _train_designed(self, planned: list[PlannedTraining], known: Sequence[Entry], looks: Looks) -> None:
        done = {entry.result.digest: entry for entry in known}
        trainings = [item.training for item in planned]
        groups = grouped(self._options.engine, self._kind, trainings, done, self._sizes)
        self._monitor.begin(self._question, len(known), len({group.program for group in groups}))
        configurations = {item.configuration.index: item.configuration for item in planned}
        size = Counter(item.configuration.index for item in planned)
        trials = Trials(self._storage, self._question)
        trials.enqueue(list(configurations.values()))
        taken: dict[int, list[Entry]] = defaultdict(list)
        whole = 0

        def take(entry: Entry) -> None:
            nonlocal whole
            index = entry.configuration.index
            taken[index].append(entry)
            self._take(entry, design.replicates(self._spec, entry.configuration))
            if len(taken[index]) == size[index]:
                trials.tell(entry.configuration, block_value(self._question, taken.pop(index)))
                whole += 1

        with trials.together():
            for entry in known:
                trials.begin(entry.configuration)
                take(entry)
        about = Record(question=self._question, fingerprints=(self._fingerprint,), entries=())
        end, missing = looks.due(about, planned, done)
        while missing:
            later = {item.training.digest for item in planned if item.configuration.index >= end}
            groups = grouped(self._options.engine, self._kind, trainings, done.keys() | later, self._sizes)
            # A pack is trained whole: what it holds beyond the look is recorded as well.
            left = [item for item in planned if item.training.digest not in done]
            for entries in self._results(left, groups):
                with trials.together():
                    for entry in entries:
                        done[entry.result.digest] = entry
                        trials.begin(entry.configuration)
                        take(entry)
                        self._monitor.trained(entry, whole)
            end, missing = looks.due(about, planned, done)
        if looks.enough is not None and end < self._question.planned_configurations:
            self._stop_early(end, trained=len(done) > len(known))

    def _stop_early(self, configurations: int, *, trained: bool) -> None:
        """Record that the first configurations decided, unless that is the last thing recorded."""
        assert self._ledger is not None
        if trained or self._record is None or self._record.stopped_at != configurations:
            self._ledger.stop(configurations)
        planned = self._question.planned_configurations
        self._monitor.note(
            f"Stopped early: the first {configurations} of {planned} configurations decide the overall row."
        )

    def _train_tuned(self, known: Sequence[Entry], missing: int) -> None:
        tuner = Tuner(self._spec, self._question, self._storage)
        trials = sum(self._take_tuned(entry) for entry in known)
        done = {entry.result.digest for entry in known}
        for wave in tuner.waves(known):
            trainings = [item.training for item in wave]
            while left := grouped(self._options.engine, self._kind, trainings, done, self._sizes):
                if not missing:  # only what is recorded is told again
                    return
                wanted = [item for item in wave if item.training.digest not in done]
                for entries in self._results(wanted, left, adaptive=True):
                    for entry in entries:
                        done.add(entry.result.digest)
                        tuner.tell(entry)
                        trials += self._take_tuned(entry)
                        self._monitor.trained(entry, trials)

    def _take_tuned(self, entry: Entry) -> bool:
        """Take one training; return whether it is the first of a trial."""
        tuning = self._question.tuning
        assert tuning is not None
        at = tuning.place(entry.configuration.index)
        self._take(entry, tuning.confirm if at.trial is None else 1)
        return at.trial is not None and at.rung == 0

    def check(self, trainings: Sequence[Training]) -> None:
        """Repeat trainings with the reference engine and record what it makes of them."""
        if not trainings or self._fingerprint["engine"] != cross_check.CHECKED:
            return
        if not cross_check.is_possible():
            self._monitor.note(
                "TensorFlow is not installed, so the two engines are not compared; the table will say so."
            )
            return
        assert self._ledger is not None
        repeated = groups(trainings)
        fingerprint = self._open(cross_check.REFERENCE, repeated)
        assert self._executor is not None
        if self._record is None or fingerprint not in self._record.references:
            self._ledger.reference(fingerprint)
        self._monitor.check(len(trainings))
        for result in self._executor.train(repeated):
            self._ledger.check(result)
            self._monitor.checked()

    def _take(self, entry: Entry, planned: int) -> None:
        assert self._tracker is not None
        self._done += 1
        self._failed += entry.result.status is not Status.OK
        self._tracker.training(entry, planned)
        self._show_progress()

    def _hear(self, report: Report) -> None:
        """Take what the engine reports; a split is on disk when this returns."""
        if isinstance(report, Split):
            assert self._ledger is not None
            self._ledger.split(report)
            self._sizes[report.shape] = report.blocks
            members = report.blocks * len(self._question.activations)
            self._monitor.note(f"Memory did not suffice; going on with {members} trainings at once.")
        else:
            self._epochs += report.trainings
            self._monitor.epoch(report)
            if time.monotonic() - self._shown >= _PROGRESS_SECONDS:
                self._show_progress()

    def _show_progress(self) -> None:
        assert self._tracker is not None
        self._shown = time.monotonic()
        planned = self._question.planned_trainings
        self._tracker.progress(self._done, planned, self._failed, epochs=self._epochs)

    def _results(
        self, wanted: Sequence[PlannedTraining], groups: Sequence[Group | Pack], *, adaptive: bool = False
    ) -> Iterator[list[Entry]]:
        """Train the groups; the results that are wanted are in the ledger when they are given out."""
        if not groups:
            return
        assert self._executor is not None
        assert self._ledger is not None
        items = {item.training.digest: item for item in wanted}
        for results in self._executor.train_together(groups):
            entries = [
                Entry(
                    training=item.training,
                    configuration=item.configuration,
                    profiled=item.profiled,
                    adaptive=adaptive,
                    result=result,
                )
                for result in results
                if (item := items.get(result.digest)) is not None
            ]
            if entries:
                self._ledger.append(*entries)
                yield entries

    def _start(self, planned: list[PlannedTraining], to_train: list[PlannedTraining]) -> Mapping[str, Any]:
        """Start the training processes, check the user's own functions and the environment."""
        trainings = [item.training for item in planned]
        work = grouped(self._options.engine, device_kind(), trainings, ())
        fingerprint = self._open(self._options.engine, work)
        assert self._executor is not None
        self._kind = "cpu" if fingerprint["device"] == "cpu" else "gpu"
        if self._record is not None and not self._options.accept_mixed:
            refuse_other_environment(self._record, fingerprint, self._home.ledger(self._spec.name))
        if fingerprint["own"]:
            firsts = {
                (each.activation, each.architecture_arguments, each.gain_matched_initialization): each
                for each in (item.training for item in to_train or planned)
            }
            self._executor.check(list(firsts.values()))
        return fingerprint

    def _open(self, engine: str, work: Sequence[Group | Pack]) -> Mapping[str, Any]:
        """Start training processes of an engine in place of those there are; return their environment."""
        spec = self._spec
        if self._executor is not None:
            self._executor.stop()
        self._executor = self._new_executor(engine, len(units_of(work, self._workers)))
        ready: Ready = self._executor.start()
        return environment.fingerprint(
            engine=engine,
            device=ready.device,
            threads=spec.threads,
            jit=ready.jit,
            own=environment.own_functions(*spec.activations, spec.architecture, spec.dataset),
            data=ready.data,
            machine=ready.machine,
        )

    def _new_executor(self, engine: str, units: int) -> Workers | RayProcess:
        spec, options = self._spec, self._options
        setup = Setup(
            engine=engine,
            threads=spec.threads,
            dataset=spec.dataset,
            train_size=spec.train_size,
            data=options.data,
            import_from=options.import_from,
        )
        log = self._home.sweep(spec.name) / "training.log"
        if options.cluster is not None:
            return RayProcess(
                options.cluster, setup, spec.retries, spec.epoch_timeout, log=log, report=self._hear
            )
        child = partial(
            ChildExecutor,
            setup,
            log=log,
            compiled=self._compiled,
            retries=spec.retries,
            epoch_timeout=spec.epoch_timeout,
        )
        return Workers(child, min(self._workers, units), self._hear)

    def _write_down(self, fingerprint: Mapping[str, Any]) -> None:
        """Store the spec and what it was expected to cost, and open the ledger for what follows."""
        folder = self._home.sweep(self._spec.name)
        folder.mkdir(parents=True, exist_ok=True)
        if self._record is None:
            trainings = [item.training for item in plan.planned_trainings(self._spec)]
            cost = cost_of(trainings, (), self._home, self._options.engine, self._workers)
            write_whole(folder / "plan.json", json.dumps(asdict(cost)))
        write_whole(self._home.spec(self._spec.name), self._text)
        path, now = self._home.ledger(self._spec.name), datetime.now(UTC).isoformat(timespec="seconds")
        if self._record is None:
            ledger.create(path, fingerprint, now, self._question)
        self._ledger = Ledger(path)
        if self._record is not None:
            if fingerprint != self._record.fingerprints[-1]:
                self._ledger.header(fingerprint, now)
            if self._question != self._record.question:
                self._ledger.question(self._question)

    def finish(self, results: Results | None, *, patient: bool) -> bool:
        """Hand the results, if it has come to its end, to MLflow; return whether that has everything.

        A driver that had nothing to train has time: it waits for MLflow as long as that gets on.
        """
        assert self._tracker is not None
        if (pending := self._tracker.report().pending) > _BACKLOG:
            long = "until they are; stop it with Ctrl-C, which loses nothing" if patient else "half a minute"
            self._monitor.note(
                f"{pending} runs are still to be looked up or written in MLflow; waiting {long}."
            )
        report = self._tracker.finish(results, patient=patient)
        self._monitor.note(report.sentence)
        return report.complete

    def close(self) -> None:
        """Close everything that was opened."""
        if self._executor is not None:
            self._executor.stop()
        if self._ledger is not None:
            self._ledger.close()
        if self._tracker is not None:
            self._tracker.close()
        self._environment.close()


def refuse_other_environment(record: Record, fingerprint: Mapping[str, Any], path: Path) -> None:
    """Raise an `InputError` if results under `fingerprint` can not join those of the ledger at `path`."""
    if any(environment.compatible(known, fingerprint) for known in record.fingerprints):
        return
    lines = environment.differences(record.fingerprints[-1], fingerprint)
    raise InputError(
        f"all results of a sweep come from one environment, and this one differs from that of the results in "
        f"{path}; go back to it, give the sweep another name, or add --accept-mixed, which the table will "
        "then say:\n  " + "\n  ".join(lines)
    )
