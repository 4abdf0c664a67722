"""The marker of a sweep: MLflow and Optuna hold all that its ledger holds, so that nothing need be opened."""

import json
from typing import Any

from study.redaction import redact
from study.whole_files import write_whole
from sweeps.home import Home


class Marker:
    """The file `published.json` of a sweep.

    Parameters
    ----------
    home : Home
        Where the sweep is.
    name : str
        Of the sweep.
    tracking_uri, storage : str or None
        Where MLflow and Optuna keep it; None for the home. The marker holds for these only.
    """

    def __init__(self, home: Home, name: str, *, tracking_uri: str | None, storage: str | None) -> None:
        self._path = home.sweep(name) / "published.json"
        self._ledger = home.ledger(name)
        self._where = [redact(url) for url in (tracking_uri, storage) if url]
        own = ((tracking_uri, home.mlflow_database), (storage, home.journal))
        self._files = [path for url, path in own if url is None]

    def is_current(self) -> bool:
        """Return whether nothing was added to the ledger, or lost elsewhere, since the marker was written."""
        try:
            return json.loads(self._path.read_text(encoding="utf-8")) == self._state()
        except (OSError, ValueError):
            return False

    def write(self) -> None:
        """Write the marker."""
        write_whole(self._path, json.dumps(self._state()))

    def remove(self) -> None:
        """Remove the marker: something is missing, whatever the files look like."""
        self._path.unlink(missing_ok=True)

    def _state(self) -> dict[str, Any]:
        missing = [path.name for path in self._files if not path.exists()]
        return {"ledger_bytes": self._ledger.stat().st_size, "where": self._where, "missing": missing}
