"""How one training runs: its types, activations, data, engines, results and their records."""
