"""How many units a layer has under a width multiplier."""


def widened(units: int, multiplier: float) -> int:
    """Return `units * multiplier`, rounded to the nearest whole number, halves to even; at least 1.

    The multiplier of Howard et al. 2017 (MobileNets, section 3.3): it thins or widens every hidden layer.
    """
    return max(1, round(units * multiplier))
