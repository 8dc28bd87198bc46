# SPDX-License-Identifier: GPL-3.0-or-later
"""SPICE numbers: a decimal, then a scale suffix, then unit letters that mean nothing.

``10uF`` is 1e-5, ``1meg`` is 1e6, ``1m`` and ``1M`` are 1e-3, ``5V`` is 5, ``1F`` is
1e-15. Case does not matter. The micro sign is a u, in Latin-1 and in UTF-8 (read byte by
byte, see `source`), and the Greek omega means nothing.
"""

import math
import re

SUFFIXES = {"t": 12, "g": 9, "meg": 6, "k": 3, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15}
MIL = 25.4e-6

NUMBER = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?", re.IGNORECASE)
MICRO = re.compile("\xc2?\xb5")
OHM = "\xce\xa9"
LETTERS = re.compile(rf"(?:{MICRO.pattern})?(?:[a-z]|{OHM})*", re.IGNORECASE)


def match_number(text: str, start: int) -> tuple[float, int] | None:
    """The unsigned number that begins at ``start`` and the index behind its unit letters, or None."""
    digits = NUMBER.match(text, start)
    if digits is None:
        return None
    letters = LETTERS.match(text, digits.end())
    word = letters.group()
    word = (MICRO.sub("u", word) if "\xb5" in word else word).lower()
    if word.startswith("mil"):
        return float(digits.group()) * MIL, letters.end()
    suffix = "meg" if word.startswith("meg") else word[:1]
    # the exponent is joined as text so that 10u is the double nearest to 1e-5, not 10 times a rounded 1e-6
    mantissa, _, exponent = digits.group().lower().partition("e")
    power = _power(exponent) + SUFFIXES.get(suffix, 0)
    return float(f"{mantissa}e{power}"), letters.end()


def _power(exponent: str) -> int:
    """An exponent as a number; of more digits than a double can use, the first ones: `int` refuses thousands."""
    if len(exponent) > 9:
        exponent = re.sub(r"([+-]?)0*(\d{1,9}).*", r"\1\2", exponent, count=1)
    return int(exponent or 0)


def objection(text: str, *, parameter: bool) -> str | None:
    """Why the number at the start of ``text`` is refused: an ambiguous suffix or too large; else None."""
    found = match_number(text, 0)
    word = LETTERS.match(text, NUMBER.match(text).end()).group().lower()
    if not math.isfinite(found[0]):
        return f"{text} is too large for a number"
    if word.startswith("a"):
        return f"the suffix of {text} is 1 or 1e-18, as the version of ngspice has it: omit it or write e-18"
    if parameter and word.startswith("mil"):
        return f"the suffix of {text} is 1e-3 in a parameter and 25.4e-6 elsewhere: write e-3 or 25.4e-6"
    return None


def literal(text: str, value: float) -> str | None:
    """The number as it was written, without its unit letters, or None where ``text`` is not this number.

    ngspice multiplies a mantissa by a power of ten, so 300u and 0.0003 differ in their last bit there: what is printed
    for it keeps the designer's spelling.
    """
    sign, digits = text[: text.startswith(("+", "-"))], text.lstrip("+-")
    found = match_number(digits, 0)
    if found is None or found[1] != len(digits) or value != (-found[0] if sign == "-" else found[0]):
        return None
    mantissa = NUMBER.match(digits).group()
    word = MICRO.sub("u", digits[len(mantissa) :]).lower()
    scale = next((suffix for suffix in ("meg", "mil", *SUFFIXES) if word.startswith(suffix)), "")
    return f"{sign}{mantissa}{scale}"


def format_number(value: float) -> str:
    """The shortest text that reads back as the same double (at most 17 significant digits)."""
    value = float(value)
    if not math.isfinite(value):
        raise ValueError(f"a netlist cannot hold {value}")
    return repr(value)
