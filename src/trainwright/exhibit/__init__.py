"""What an exhibit is, and the words that exhibits are written in.

`contract`: question, claims, result. `images`: pictures to train on. `trainings`: studies compared, and what
their runs left. `panels`: the drawing that several have in common. With `trainwright.comparison`'s
`Measured` (a number that writes itself) and `Sweep` (comparisons along a range) an exhibit is an essay: its
question, its scales, its studies, its claims and its figure.
"""

from trainwright.exhibit.contract import (
    Claim,
    Exhibit,
    ExhibitResult,
    cautions,
    flat,
    intervals_cover,
    sign,
    spelled,
)

__all__ = ["Claim", "Exhibit", "ExhibitResult", "cautions", "flat", "intervals_cover", "sign", "spelled"]
