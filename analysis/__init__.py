"""What the results mean: from the runs frame to the criteria table, the figures and the report."""
