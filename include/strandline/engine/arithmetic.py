"""Exponential, logarithm and functions built on them, computed with the four basic operations only.

The C library picks its versions by the CPU, and they differ in the last bit; these never do.
"""

import math
from typing import Final

import numpy as np

from strandline.engine.compilation import compiled
from strandline.engine.records import Bits, Floats, Ints

LN2: Final = 0.6931471805599453
# ln 2 in two pieces: times any exponent, the first is exact.
_LN2_HIGH: Final = 6.93147180369123816490e-01
_LN2_LOW: Final = 1.90821492927058770002e-10
_CLIP: Final = 60.0
_PLACES: Final = 1e9
_EXPONENT_BIAS: Final = 1023.0
_EXPONENT_BITS: Final = 52
_WHOLE: Final = 4503599627370496.0
"""2^52: a whole number that is added to it stands in its lowest bits."""


@compiled
def exp(x: float) -> float:
    """e^x for any x that has a finite result: 2^k times e^r with a small r, and a rational form for that."""
    k = math.floor(x / LN2 + 0.5)
    high = x - k * _LN2_HIGH
    low = k * _LN2_LOW
    r = high - low
    z = r * r
    series = 1.66666666666666019037e-01 + z * (
        -2.77777777770155933842e-03
        + z * (6.61375632143793436117e-05 + z * (-1.65339022054652515390e-06 + z * 4.13813679705723846039e-08))
    )
    c = r - z * series
    return math.ldexp(1.0 - ((low - r * c / (2.0 - c)) - high), int(k))


@compiled
def log(x: float) -> float:
    """ln x for x > 0: the exponent times ln 2, and a series for the rest, which lies around 1."""
    rest, k = math.frexp(x)
    if rest < 0.7071067811865476:
        rest *= 2.0
        k -= 1
    f = rest - 1.0
    s = f / (2.0 + f)
    z = s * s
    w = z * z
    even = w * (3.999999999940941908e-01 + w * (2.222219843214978396e-01 + w * 1.531383769920937332e-01))
    odd = z * (
        6.666666666666735130e-01
        + w * (2.857142874366239149e-01 + w * (1.818357216161805012e-01 + w * 1.479819860511658591e-01))
    )
    half = 0.5 * f * f
    return k * _LN2_HIGH - ((half - (s * (half + even + odd) + k * _LN2_LOW)) - f)


@compiled
def sigmoids(values: Floats, powers: Ints) -> None:
    """Replace each value by the logistic function of it: from 0 to 1, one half at 0. `powers` is a scratch pad.

    The exponential of `exp`, bit for bit, but without calls and branches, so that the compiler takes several values at
    a time: the bits of 2^k are put together.
    """
    scale = powers.view(np.float64)
    for i in range(len(values)):
        x = -clip(values[i], -_CLIP, _CLIP)
        k = np.floor(x / LN2 + 0.5)
        high = x - k * _LN2_HIGH
        low = k * _LN2_LOW
        r = high - low
        z = r * r
        series = 1.66666666666666019037e-01 + z * (
            -2.77777777770155933842e-03
            + z * (6.61375632143793436117e-05 + z * (-1.65339022054652515390e-06 + z * 4.13813679705723846039e-08))
        )
        c = r - z * series
        values[i] = 1.0 - ((low - r * c / (2.0 - c)) - high)
        scale[i] = k + _EXPONENT_BIAS + _WHOLE
    for i in range(len(values)):
        powers[i] <<= _EXPONENT_BITS
    for i in range(len(values)):
        values[i] = 1.0 / (1.0 + values[i] * scale[i])


@compiled
def clip(x: float, low: float, high: float) -> float:
    """The nearest number in [low, high]."""
    return min(high, max(low, x))


@compiled
def safe_ratio(x: float, scale: float) -> float:
    """x / scale; with a scale of 0 (a market that does not move) the largest value that a sigmoid distinguishes."""
    if scale != 0.0:
        return x / scale
    if x == 0.0:
        return 0.0
    return math.copysign(_CLIP, x)


@compiled
def round_score(score: float) -> float:
    """Round to 1e-9, half upwards, so that the number that is compared is the number that is stored."""
    return math.floor(score * _PLACES + 0.5) / _PLACES


@compiled
def slope(values: Floats) -> float:
    """The slope of the least-squares line through equally spaced values, oldest first; exactly 0 if they are equal."""
    n = len(values)
    total = 0.0
    for i in range(n // 2):
        total += (n - 1 - 2 * i) * (values[n - 1 - i] - values[i])
    return 6.0 * total / (n * (n * n - 1.0))


@compiled
def mean(values: Floats) -> float:
    """The mean, summed from the oldest value on."""
    total = 0.0
    for value in values:
        total += value
    return total / len(values)


@compiled
def share(bits: Bits) -> float:
    """The share of bits that are set."""
    total = 0
    for bit in bits:
        total += bit
    return total / len(bits)
