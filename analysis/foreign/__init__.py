"""Runs from elsewhere, an MLflow experiment or a file: from what was logged to a criteria table."""
