"""What constant answers score on masks: the level of guessing in a segmentation."""

import numpy as np


def guess(masks: np.ndarray) -> dict[str, float]:
    """Return the best that one and the same answer for every pixel can score, under each metric.

    With `f` the share of foreground in an image, calling everything foreground has the Dice coefficient
    `2 f / (1 + f)` and the intersection over union `f`; calling everything background has 0 in both.
    The loss of a constant probability `p` is its binary cross-entropy plus `1 - 2 p f / (p + f)`, the mean
    over the images; `p` is taken from 0.001 to 0.999 in steps of 0.001.

    Parameters
    ----------
    masks : ndarray of uint8, shape (n, height, width)
        1 is foreground, 0 background.

    Returns
    -------
    dict of str to float
        `dice` and `iou` in points, `loss` without a unit.
    """
    share = masks.reshape(len(masks), -1).mean(axis=1)
    p = np.arange(1, 1000)[:, None] / 1000
    whole = float(share.mean())
    cross_entropy = -(whole * np.log(p[:, 0]) + (1.0 - whole) * np.log1p(-p[:, 0]))
    dice_loss = (1.0 - 2.0 * p * share / (p + share)).mean(axis=1)
    return {
        "dice": round(100.0 * float((2.0 * share / (1.0 + share)).mean()), 6),
        "iou": round(100.0 * whole, 6),
        "loss": round(float((cross_entropy + dice_loss).min()), 6),
    }
