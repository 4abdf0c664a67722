-- Optuna's database, beside MLflow's: in one database each would take the other's schema version for its own.
CREATE DATABASE optuna;
