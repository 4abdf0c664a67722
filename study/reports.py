"""What an engine says while it trains, beside the results."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """Memory ran out: the packs of one shape go on as smaller ones.

    Parameters
    ----------
    shape : str
        `study.packing.Pack.shape` of those packs.
    blocks : int
        Places for blocks that each of them has from here on.
    """

    shape: str
    blocks: int


@dataclass(frozen=True, kw_only=True, slots=True)
class EpochDone:
    """Trainings that run side by side are an epoch further.

    Parameters
    ----------
    trainings : int
        How many run side by side.
    epoch, epochs : int
        Epochs that they have behind them, and that they have in all.
    """

    trainings: int
    epoch: int
    epochs: int


Report = Split | EpochDone
