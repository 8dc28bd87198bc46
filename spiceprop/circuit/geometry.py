# SPDX-License-Identifier: GPL-3.0-or-later
"""The nominal values of R, C and L with a ``.model``, as ngspice 39 and 46 take them (measured).

The value written with the element wins. Without it, with L and W those of the element,

    R = RSH (L - 2 SHORT)/(W - 2 NARROW), else that of the model, R
    C = CAP of the model, else CJ (W - NARROW) (L - SHORT) + 2 CJSW (L - SHORT + W - NARROW)
    L = IND

where W may be the model's DEFW (W), and the L of a resistor the model's L; 10 um where they are not there, but an L of
0 for a capacitor. TC1 and TC2 of the element come before those of the model, and TCE before both: the factor is
1.01^(TCE dT) then. dT counts from the model's TNOM.
"""

import sympy as sp

MODEL = "model:"
"""How the roles of the values of a ``.model`` begin."""

SIZE = sp.Float("1e-5")  # metre


def model_values(values: dict[str, sp.Symbol]) -> dict[str, sp.Symbol]:
    """Of an element's values those of its ``.model``, by their names there."""
    return {role.removeprefix(MODEL): symbol for role, symbol in values.items() if role.startswith(MODEL)}


def nominal(values: dict[str, sp.Symbol]) -> sp.Expr:
    """At the nominal temperature, from the roles of an element and of its model."""
    if "" in values:
        return values[""]
    card = model_values(values)
    for whole in ("ind", "cap"):
        if whole in card:
            return card[whole]
    narrow, short = card.get("narrow", sp.Integer(0)), card.get("short", sp.Integer(0))
    width = values.get("w", card.get("defw", SIZE))
    if "rsh" in card:
        return card["rsh"] * (values.get("l", card.get("l", SIZE)) - 2 * short) / (width - 2 * narrow)
    if "r" in card:
        return card["r"]
    width, length = width - narrow, values.get("l", sp.Integer(0)) - short
    return card.get("cj", 0) * width * length + 2 * card.get("cjsw", 0) * (length + width)


def heated(values: dict[str, sp.Symbol], rise: sp.Expr) -> sp.Expr:
    """The factor of a temperature that many kelvin above the nominal one."""
    if f"{MODEL}tce" in values:
        return sp.exp(sp.log(sp.Float("1.01", 17)) * values[f"{MODEL}tce"] * rise)
    first, second = (values.get(name, values.get(f"{MODEL}{name}", 0)) for name in ("tc1", "tc2"))
    return 1 + first * rise + second * rise**2
