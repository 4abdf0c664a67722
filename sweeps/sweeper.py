"""A sweep, run or resumed: what the spec asks for, minus what the ledger has, trained, recorded and told.

One process, the driver, runs this and is the only one that writes: ledger, Optuna and MLflow, under
the lock of the home. A training is done when its line is in the ledger; everything else can be made
again from there.
"""

from collections.abc import Callable

from study import environment, ledger
from study.dashboard import Results
from study.ledger import Record
from study.mlflow_access import check_writable
from study.question import Question
from study.training import Training
from study.urls import check_storage_url, check_tracking_uri
from sweeps import cross_check, design
from sweeps.design import PlannedTraining
from sweeps.driver import Driver, Options, refuse_other_environment
from sweeps.home import Home
from sweeps.looks import Looks, whole_design
from sweeps.marker import Marker
from sweeps.monitor import Monitor
from sweeps.spec import SweepSpec, parse
from sweeps.spec_changes import refuse_change, refuse_other_results
from sweeps.tuning import refuse_missing_library


def run(
    spec: SweepSpec,
    text: str,
    home: Home,
    options: Options,
    monitor: Monitor,
    publish: Callable[[Record], Results],
    looks: Callable[[Question], Looks] = whole_design,
) -> Record:
    """Run or resume a sweep.

    Parameters
    ----------
    spec : SweepSpec
        What to run.
    text : str
        Its TOML, stored beside the results.
    home : Home
        Where to keep everything.
    options : Options
        How to run.
    monitor : Monitor
        Is told what happens.
    publish : callable
        Makes what MLflow shows on the parent run from the finished record.
    looks : callable
        Makes from the question what says when the sweep ends; by default with its whole design.

    Returns
    -------
    Record
        All results.

    Raises
    ------
    InputError
        If anything about the input is wrong: before anything is trained or written.
    RunError
        If the training process can not be started.
    """
    check_tracking_uri(options.tracking_uri or home.tracking_uri)
    if options.storage is not None:
        check_storage_url(options.storage)
    home.prepare()
    with home.locked(spec.name):
        path = home.ledger(spec.name)
        record = ledger.read(path) if path.exists() else None
        planned = [] if spec.design == "tuned" else design.trainings(spec)
        question = planned_question(spec, planned)
        own = refuse(spec, home, question, record)
        if record is not None and not options.accept_mixed:
            now = {**record.fingerprints[-1], "threads": spec.threads, "own": own}
            refuse_other_environment(record, now, path)
        known = {entry.result.digest: entry for entry in record.entries} if record else {}
        ending = looks(question)
        about = Record(question=question, fingerprints=record.fingerprints if record else (), entries=())
        end, to_train = ending.due(about, planned, known)
        stops = ending.enough is not None and end < question.planned_configurations
        missing = question.planned_trainings - len(known) if spec.design == "tuned" else len(to_train)
        marker = Marker(home, spec.name, tracking_uri=options.tracking_uri, storage=options.storage)
        repeated = _to_repeat(planned, record, options.engine) if not ending.pilot else []
        whole = not missing and not (repeated and cross_check.is_possible())
        told = record is not None and record.question == question and (not stops or record.stopped_at == end)
        if record and whole and told and marker.is_current():
            return record
        check_writable(options.tracking_uri or home.tracking_uri, spec.name)
        driver = Driver(spec, text, home, options, monitor, question, record)
        try:
            driver.train(planned, to_train, missing, ending)
            record = ledger.read(path)
            if not ending.pilot and (repeated := _to_repeat(planned, record, options.engine)):
                driver.check(repeated)
                record = ledger.read(path)
            if driver.finish(publish(record), patient=not missing):
                marker.write()
        finally:
            driver.close()
        return record


def refuse(spec: SweepSpec, home: Home, question: Question, record: Record | None) -> dict[str, str]:
    """Refuse what cannot be run in a home, as far as it is known without training anything.

    Parameters
    ----------
    spec, question : SweepSpec, Question
        What is to be run.
    home : Home
        Where.
    record : Record or None
        What the home has of it; curves do not matter.

    Returns
    -------
    dict of str to str
        The user's own functions and the digests of their sources.

    Raises
    ------
    InputError
        If the results there are were made from another spec, or a function of the user's own or the library
        of a sampler is missing.
    """
    stored = home.spec(spec.name)
    if stored.exists():
        refuse_change(parse(stored.read_text(encoding="utf-8"), str(stored)), spec)
    if record is not None:
        refuse_other_results(record, spec, question)
    refuse_missing_library(spec)
    return environment.own_functions(*spec.activations, spec.architecture, spec.dataset)


def _to_repeat(planned: list[PlannedTraining], record: Record | None, engine: str) -> list[Training]:
    """Return what the reference engine has still to repeat of what is recorded."""
    if record is None or engine != cross_check.CHECKED:
        return []
    recorded = {entry.result.digest: entry.training for entry in record.entries}
    trainings = [each for item in planned if (each := recorded.get(item.training.digest))] or [
        *recorded.values()
    ]
    return cross_check.missing(trainings, record.checks)


def planned_question(spec: SweepSpec, planned: list[PlannedTraining]) -> Question:
    """Return the question of a spec with the size of its design."""
    tuning, activations = spec.searches, len(spec.activations)
    if tuning is not None:
        trials = tuning.repeats * tuning.trials * activations
        return spec.question_for_analysis(trials, tuning.trainings(activations))
    configurations = {item.configuration.index for item in planned}
    return spec.question_for_analysis(len(configurations), len(planned))
