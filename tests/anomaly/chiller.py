"""A water-cooled chiller by Gordon and Ng's universal model (J. M. Gordon, K. C. Ng, "Cool Thermodynamics", 2000).

With cooling Q, power P and the temperatures (K) at which water enters the evaporator (te) and the condenser (tc):

    (1 + P/Q) te/tc = 1 + S te/Q + L (tc - te)/(tc Q) + R (1 + P/Q) Q/tc

S is the entropy made inside, L the heat that leaks in, R the thermal resistance of both heat exchangers: fouling is
more of it. Pressures are the saturation pressures of R134a (Clausius and Clapeyron through its tabled 7.70 bar
at 30 Cel and 10.17 bar at 40 Cel).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
STEP_US, START_US = 600_000_000, 1_772_323_200_000_000
S, L, R_EVAPORATOR, R_CONDENSER = 0.13, 20.0, 0.014, 0.010
WATER = 1.163
"""kWh per m3 and K."""
SUPPLY, CHILLED, COOLING = 6.5, 80.0, 110.0
SIGNALS = (
    "chilled_flow", "condenser_flow", "evaporator_inlet_temperature", "condenser_inlet_temperature",
    "ambient_temperature", "evaporator_outlet_temperature", "condenser_outlet_temperature", "evaporator_pressure",
    "condenser_pressure", "oil_temperature", "vibration", "power",
)  # fmt: skip


@dataclass(frozen=True)
class Run:
    """Rows of a chiller, and what its fouling cost (kW) at each of them."""

    t_us: NDArray[np.int64]
    values: Array
    wasted_kw: Array


def power_of(q: Array, te: Array, tc: Array, resistance: Array) -> Array:
    """Power in kW for a cooling of q kW."""
    y = (1 + S * te / q + L * (tc - te) / (tc * q)) * tc / (te - resistance * q)
    out: Array = q * (y - 1)
    return out


def saturated(kelvin: Array) -> Array:
    """Pressure of R134a in bar."""
    out: Array = np.exp(10.753 - 2641.0 / kelvin)
    return out


def run(days: int, fouled_from: float, fouled: float, seed: int = 0) -> Run:
    """Days from the first of March on; from a day on the condenser's resistance grows by the share `fouled` to the
    end."""
    chance = np.random.default_rng(seed)
    n = days * 144
    day = np.arange(n) / 144
    ambient = 9 + 8 * np.sin(2 * np.pi * (day - 40) / 365) + 4 * np.sin(2 * np.pi * (day - 0.4))
    slow = np.convolve(chance.normal(0, 1, n + 431), np.ones(432) / 432**0.5, "valid")
    ambient = ambient + 1.5 * slow
    busy = np.clip(np.sin(2 * np.pi * (day - 0.3)), 0, 1) * np.where(day.astype(int) % 7 < 5, 1.0, 0.5)
    q = 320 + 140 * busy + 4 * ambient + 10 * np.convolve(chance.normal(0, 1, n + 17), np.ones(18) / 18**0.5, "valid")
    te = 273.15 + SUPPLY + q / (CHILLED * WATER)
    tc = 273.15 + 19 + 0.45 * ambient + 0.3 * np.convolve(chance.normal(0, 1, n + 35), np.ones(36) / 6, "valid")
    grown = fouled * np.clip((day - fouled_from) / max(days - fouled_from, 1e-9), 0, 1)
    clean, condenser = np.full(n, R_CONDENSER), R_CONDENSER * (1 + grown)
    power = power_of(q, te, tc, condenser + R_EVAPORATOR)
    healthy = power_of(q, te, tc, clean + R_EVAPORATOR)

    def measured(x: Array, sigma: float) -> Array:
        out: Array = x + chance.normal(0, sigma, n)
        return out

    rejected = q + power
    values = {
        "chilled_flow": measured(np.full(n, CHILLED), 0.4),
        "condenser_flow": measured(np.full(n, COOLING), 0.5),
        "evaporator_inlet_temperature": measured(te - 273.15, 0.05),
        "condenser_inlet_temperature": measured(tc - 273.15, 0.05),
        "ambient_temperature": measured(ambient, 0.2),
        "evaporator_outlet_temperature": measured(np.full(n, SUPPLY), 0.05),
        "condenser_outlet_temperature": measured(tc - 273.15 + rejected / (COOLING * WATER), 0.05),
        "evaporator_pressure": measured(saturated(te - q * R_EVAPORATOR), 0.01),
        "condenser_pressure": measured(saturated(tc + rejected * condenser), 0.03),
        "oil_temperature": measured(tc - 273.15 + rejected * condenser + 18, 0.2),
        "vibration": measured(np.full(n, 1.8), 0.1),
        "power": measured(power, 0.8),
    }
    t_us = START_US + np.arange(n, dtype=np.int64) * STEP_US
    return Run(t_us, np.column_stack([values[name] for name in SIGNALS]), power - healthy)
