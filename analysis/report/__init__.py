"""The report of a sweep: one HTML page, what it says beside the table, and what its words mean."""
