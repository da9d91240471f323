"""What a failure mode of kind `efficiency` wastes before it fails: which signal says it, and what a kWh costs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Loss:
    """Power in excess of what a healthy machine would take for the same output under the same conditions."""

    power: str
    """The signal that tells the power taken."""
    kw_per_unit: float
    """kW for one of its units: 1 for a power in kW, about 0.59 for the amperes of a 400 V motor at cos phi 0.85."""
    output: str | None
    """The signal that falls when less is delivered for that power (at the flow that is a condition); None = the
    output is given by the conditions."""
    price: float
    """Money for a kWh, in the model's currency."""
