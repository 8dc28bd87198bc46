# SPDX-License-Identifier: GPL-3.0-or-later
"""POLY(n): E, F, G and H whose value is a polynomial of n voltages or currents.

    E1 a b POLY(2) (c,d) (e,f) p0 p1 p2 ...     F1 a b POLY(2) v1 v2 p0 p1 p2 ...

    value = p0 + p1 x1 + p2 x2 + p3 x1^2 + p4 x1 x2 + p5 x2^2 + p6 x1^3 + p7 x1^2 x2 + ...

by rising degree, and of one degree in the order of SPICE 2G6: the powers of x1 fall first, then those of x2. This is
`itertools.combinations_with_replacement` of the variables (compared with the routine NXTPWR in ngspice's code model
``spice2poly`` for up to five variables). A code model is native code that has to be loaded, so ngspice gets a B source
instead; its powers are products there, because x^2 would lose the sign of x. Brackets and commas mean nothing.

Refused is what versions of ngspice take for different things: a single coefficient (39 takes it for p0, 46 stops,
SPICE 2G6 takes it for p1), and ``m=`` (39 stops).
"""

import re
from collections.abc import Iterator
from functools import reduce
from itertools import combinations_with_replacement, count, islice

from spiceprop.netlist.expression import Coefficient, Expression, Operation, Probe
from spiceprop.netlist.piecewise import added
from spiceprop.netlist.source import Span
from spiceprop.netlist.tree import BehaviouralSource, Element, Value
from spiceprop.netlist.words import StatementWords

LIMIT = 200
"""Of dimensions and of coefficients."""
_DIMENSION = re.compile(r"[1-9]\d{0,2}")


def read_polynomial(name: str, nodes: tuple[str, str], words: StatementWords) -> list[Element]:
    """What stands behind the nodes of an E, F, G or H with POLY."""
    words.word("POLY")
    dimension = _dimension(words)
    start = words.position
    variables = [_variable(name, words, start) for _ in range(dimension)]
    coefficients = []
    while not words.done():
        if words.take("(") or words.take(")"):
            continue
        if key := words.key():
            raise words.error(
                f"'{key}=' is not understood behind POLY: versions of ngspice stop there or multiply. "
                "Put a factor into the coefficients"
            )
        coefficients.append(words.named_value("a coefficient of POLY"))
    if not coefficients:
        what = f"{2 * dimension} nodes" if name[0] in "eg" else f"{dimension} sources"
        raise words.line.error(f"POLY({dimension}) of {name} takes {what} and then its coefficients, found none")
    if len(coefficients) == 1:
        raise words.line.error(
            "POLY with one coefficient is a constant in ngspice 39, an error in 46 and a factor in SPICE 2: "
            "write two or more, p0 p1"
        )
    if len(coefficients) > LIMIT:
        raise words.line.error(f"POLY has more than {LIMIT} coefficients")
    span = words.whole()
    numbers = {f"poly.{index}": value for index, value in enumerate(coefficients)}
    value = Value(_polynomial(list(numbers), variables, span), span, source=True)
    quantity = "v" if name[0] in "eh" else "i"
    return [BehaviouralSource(f"b{name}", nodes, quantity, value, {}, span, numbers)]


def _dimension(words: StatementWords) -> int:
    bracket = words.take("(")
    word = words.word("the number of variables of POLY")
    if not _DIMENSION.fullmatch(word) or int(word) > LIMIT:
        raise words.error(f"POLY({word}): the number of variables is a whole number from 1 to {LIMIT}")
    if bracket:
        words.expect(")")
    return int(word)


def _variable(name: str, words: StatementWords, start: int) -> Probe:
    """The next voltage of E and G, or current of F and H."""

    def word(what: str) -> str:
        while words.take("(") or words.take(")"):
            pass
        return words.word(what)

    if name[0] in "eg":
        pair = words.checked_node(word("a node")), words.checked_node(word("a node"))
        return Probe("v", pair, words.line.span(start, words.position))
    source = word("a source whose current is a variable of POLY")
    if source[0] not in "veh":
        raise words.error(f"POLY of {name} takes the currents of V, E and H sources, and '{source}' is none")
    return Probe("i", (source,), words.line.span(start, words.position))


def _polynomial(roles: list[str], variables: list[Probe], span: Span) -> Expression:
    products = islice(_products(variables, span), len(roles) - 1)
    constant, *factors = (Coefficient(role, span) for role in roles)
    terms = [Operation("*", pair, span) for pair in zip(factors, products, strict=True)]
    return added([constant, *terms], span)


def _products(variables: list[Probe], span: Span) -> Iterator[Expression]:
    """x1, x2, ..., x1 x1, x1 x2, ... without end."""
    for degree in count(1):
        for factors in combinations_with_replacement(variables, degree):
            yield reduce(lambda left, right: Operation("*", (left, right), span), factors)
