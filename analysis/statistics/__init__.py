"""The statistics: from a runs frame to estimates, tests and verdicts; nothing here writes or draws."""
