# SPDX-License-Identifier: GPL-3.0-or-later
"""Piecewise linear functions: ``pwl()`` of B sources, and TABLE of E and G.

``pwl(x, x0, y0, x1, y1, ...)`` is ngspice's own: lines through the points, the first and the last without an end. A
point is a number, a parameter, or an expression of parameters in braces.

TABLE is another function. ngspice makes of ``E1 a b TABLE {x} = (x0, y0) (x1, y1) ...`` (``listing expand``)

    E1 a b n1 0 1;  BE1 n2 0 V = x;  AE1 n2 n1 pwl(x_array y_array input_domain=0.1 fraction=true limit=true)

and its code model ``pwl`` (J. P. Murray, Georgia Tech, 1991) stays at y0 before the first and at yn behind the
last point, and rounds each corner by the parabola that continues the lines on both sides, d before and behind it:

    dy/dx = s- below x_k - d,  s- + (s+ - s-) p  with  p = (x - x_k + d) / 2d  between,  s+ above x_k + d;
    d = 0.1 min(x_k - x_(k-1), x_(k+1) - x_k), at the ends 0.1 of the one line there, whose other slope is 0.

A code model is native code that has to be loaded, so ngspice gets a B source of the same values: y0 and the integral
of dy/dx, a part for each corner and each line. All parts are limited, so that none cancels another where slopes are
large. u2(x) is 0 below 0, x up to 1, 1 above:

    corner  p (2 d s- + d (s+ - s-) p)  with  p = u2((x - x_k + d) / 2d),
    line    s l u2((x - x_k - d) / l)   with  l = x_(k+1) - d' - x_k - d.
"""

from itertools import pairwise

from spiceprop.netlist.evaluate import evaluate
from spiceprop.netlist.expression import Call, Coefficient, Constant, Expression, Name, Number, Operation, Probe, walk
from spiceprop.netlist.flat import FlatElement
from spiceprop.netlist.source import Span
from spiceprop.netlist.tree import BehaviouralSource, ControlledSource, Element, Value
from spiceprop.netlist.words import StatementWords

FRACTION = 0.1
"""How much of the shorter line beside a corner is rounded."""
NEARLY = 1e-9
"""Lines whose lengths differ by less of their sum are equally long: both are the shorter one, each by half."""
POINT_LIMIT = 1000


def with_points(arguments: tuple[Expression, ...]) -> tuple[Expression, ...]:
    """The arguments of pwl(), its coordinates as expressions of parameters.

    Raises
    ------
    UserError: other than two or more pairs, or a coordinate that ngspice takes for no number.
    """
    x, *coordinates = arguments
    if len(coordinates) < 4 or len(coordinates) % 2:
        raise x.span.error(
            f"pwl(x, x0, y0, x1, y1, ...) takes two or more points behind its argument, found {len(coordinates)} values"
        )
    if len(coordinates) > 2 * POINT_LIMIT:
        raise x.span.error(f"pwl() has more than {POINT_LIMIT} points: use fewer")
    return (x, *map(_coordinate, coordinates))


def _coordinate(tree: Expression) -> Constant:
    if isinstance(tree, Constant):
        return tree
    signed = isinstance(tree, Operation) and tree.operator in ("-", "+") and len(tree.operands) == 1
    inner = tree.operands[0] if signed else tree
    if not isinstance(inner, Number | Name) or getattr(inner, "name", "") == "time":
        raise tree.span.error(
            f"'{tree.span.text}': a coordinate in pwl() is a number, a parameter, or an {{expression of parameters}}"
        )
    return Constant((tree,), tree.span)


def read_table(name: str, nodes: tuple[str, str], words: StatementWords) -> list[Element]:
    """What stands behind the nodes of an E or G with TABLE."""
    words.word("TABLE")
    words.take("=")
    x, span = words.source_value("an expression for TABLE"), words.whole()
    words.take("=")
    coordinates, modifiers = [], {}
    while not words.done():
        if words.take("(") or words.take(")"):
            continue
        if words.key() == "m" and name[0] == "g":
            words.skip_key()
            modifiers["m"] = words.bare_value("a multiplier")
        else:
            coordinates.append(words.named_value("a coordinate of TABLE"))
    if len(coordinates) < 4 or len(coordinates) % 2:
        raise words.line.error(
            f"TABLE takes two or more points behind its expression, (x0,y0) (x1,y1) ..., found "
            f"{len(coordinates)} values"
        )
    if len(coordinates) > 2 * POINT_LIMIT:
        raise words.line.error(f"TABLE has more than {POINT_LIMIT} points: use fewer")
    roles = [f"table.{point}.{axis}" for point in range(len(coordinates) // 2) for axis in "xy"]
    inner, outer = (f"{name}_int2", "0"), (f"{name}_int1", "0")
    value = Value(_table(len(coordinates) // 2, Probe("v", inner[:1], span), span), span, source=True)
    return [
        ControlledSource(name, nodes, outer, Value(Number(1.0), span), modifiers, span),
        BehaviouralSource(f"b{name}", inner, "v", x, {}, span),
        BehaviouralSource(f"b{name}_table", outer, "v", value, {}, span, dict(zip(roles, coordinates, strict=True))),
    ]


def check_points(flat: FlatElement) -> None:
    """Refuse points out of order: ngspice stops at them in pwl(), and computes nonsense in TABLE."""
    table = [value for role, value in flat.element.numbers.items() if role.startswith("table.")][::2]
    calls = [tree for tree in walk(flat.element.value.expression) if isinstance(tree, Call) and tree.function == "pwl"]
    for xs in [table, *([flat.constant(point) for point in call.arguments[1::2]] for call in calls)]:
        numbers = [evaluate(x, flat.scope) for x in xs]
        for before, after, x in zip(numbers, numbers[1:], xs[1:], strict=False):
            if after <= before:
                raise x.span.error(f"the x of points must increase, found {after:g} behind {before:g}")


def _table(count: int, x: Expression, span: Span) -> Expression:
    """y0 and the integral of dy/dx up to x, see above."""

    def of(operator: str, *operands: Expression) -> Operation:
        return Operation(operator, operands, span)

    def part(start: Expression, length: Expression) -> Call:
        return Call("u2", (of("/", of("-", x, Constant((start,), span)), Constant((length,), span)),), span)

    xs, ys = ([Coefficient(f"table.{point}.{axis}", span) for point in range(count)] for axis in "xy")
    lengths = [of("-", after, before) for before, after in pairwise(xs)]
    rises = [of("-", after, before) for before, after in pairwise(ys)]
    slopes = [of("/", rise, length) for rise, length in zip(rises, lengths, strict=True)]
    reaches = []
    for before, after in pairwise([lengths[0], *lengths, lengths[-1]]):
        both = of("+", before, after)
        apart = of("-", Call("abs", (of("-", before, after),), span), of("*", Number(NEARLY), both))
        reaches.append(of("*", Number(FRACTION / 2), of("-", both, Call("max", (apart, Number(0.0)), span))))
    terms = [ys[0]]
    for point, (before, after) in enumerate(pairwise([Number(0.0), *slopes, Number(0.0)])):
        width = of("*", Number(2.0), reaches[point])
        done = part(of("-", xs[point], reaches[point]), width)
        bend = Constant((of("*", reaches[point], of("-", after, before)),), span)
        terms.append(of("*", done, of("+", Constant((of("*", width, before),), span), of("*", bend, done))))
    for point, slope in enumerate(slopes):
        start = of("+", xs[point], reaches[point])
        length = of("-", of("-", xs[point + 1], reaches[point + 1]), start)
        terms.append(of("*", Constant((of("*", slope, length),), span), part(start, length)))
    return added(terms, span)


def added(terms: list[Expression], span: Span) -> Expression:
    """The sum of many terms, as a tree that is not deep."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return Operation("+", (added(terms[:half], span), added(terms[half:], span)), span)
