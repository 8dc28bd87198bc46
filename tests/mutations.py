# SPDX-License-Identifier: GPL-3.0-or-later
"""Netlists that went wrong, made from sound ones: by letters, by words, by lines and by structures without end.

All chance comes from the ``random.Random`` that is given, so that a number names a mutant for ever, and hypothesis can
shrink one. Texts are bytes as Latin-1. Many mutants try to run a command or to read a file beside their folder.
"""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from random import Random
from re import Match

DECKS = Path(__file__).parent / "decks"
NETLISTS = Path(__file__).parents[1] / "netlists"
CANARY = "canary-was-here"
SECRET = "a-secret-of-the-reader"

SIZES = (1, 3, 20, 60, 300, 1200, 10_000)
LIKELY = (20, 20, 20, 20, 20, 6, 1)
LETTERS = (
    "\0\x01\x08\t\r\n\x0b\x0c\x1b\x1f \"#$%&'()*+,-./0189:;<=>?@AZ[\\]^_`az{|}~\x7f\x80\x85\x93\xa0\xb5\xc2\xce\xff"
)
NUMBERS = (
    "0 -0 1 -1 2 0.5 1e300 -1e300 1e308 1e309 1e-320 1e99999 1e-99999 1e+ 1e 1e1e1 .5 5. . 00 1,5 1k2 1meg 1mil 1a 1x "
    f"0x10 1_0 nan inf -inf 1\xb5 9{'9' * 400} 1e{'9' * 5000} 0.{'0' * 400}1 +-1 --1 1e3k 1.2.3 1%"
).split()
NAMES = (
    "0 time v i v(a) i(v1) gnd temper pi e inf nan all uic dc ac m ic tc params: true __class__ a.b x1.x1 v1#branch "
    f"const.time tran1.time \xe9\xb5 $x @r1[i] r c l v1 x s {'n' * 2000} {'x1.' * 300}a max pow exp sin pwl if and"
).split()
TABLES = {
    name: text.replace("CANARY", CANARY).replace("SECRET", SECRET).splitlines()
    for name, text in tomllib.loads(Path(__file__).with_suffix(".toml").read_text()).items()
}
EXPRESSIONS, SOURCES, COMMANDS = (TABLES[name] for name in ("expressions", "sources", "commands"))
JUNK = [
    *NUMBERS,
    *NAMES,
    *EXPRESSIONS,
    *["(", ")", "{", "}", "'", '"', "=", ",", "+", "-", "*", "/", "^", ";", "$", "//", "`", "."],
]


def seeds() -> list[str]:
    """The texts of the decks and netlists of this repository."""
    return [path.read_bytes().decode("latin-1") for place in (DECKS, NETLISTS) for path in sorted(place.glob("*.cir"))]


def letters(text: str, rng: Random) -> str:
    """One to eight letters lost, doubled, changed or put in."""
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        at, much = rng.randrange(len(text) + 1), rng.choice((1, 1, 1, 2, 30))
        new = rng.choice((rng.choice(LETTERS), rng.choice(LETTERS), text[at : at + much] * 2, ""))
        text = text[:at] + new * rng.choice((1, 1, 1, 2, 200)) + text[at + rng.choice((0, much)) :]
    return text


def words(text: str, rng: Random) -> str:
    """Words of one line replaced by junk, by each other, by a longer self."""
    lines = text.split("\n")
    at = rng.randrange(len(lines))
    parts = lines[at].split(" ")
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        place = rng.randrange(len(parts))
        parts[place] = rng.choice(
            (
                rng.choice(JUNK),
                rng.choice(JUNK),
                rng.choice(parts),
                parts[place] + rng.choice(JUNK),
                parts[place] * rng.choice(SIZES[:5]),
            )
        )
    lines[at] = rng.choice((" ", " ", " ", "  ", "\t", ",", "\n+", "=")).join(parts)
    return "\n".join(lines)


def values(text: str, rng: Random) -> str:
    """Numbers replaced by numbers and expressions: what is left is mostly a netlist still."""
    found = list(re.finditer(r"(?<=[\s(=])-?\d[\w.]*", text))
    for match in sorted(rng.sample(found, min(len(found), rng.choice((1, 1, 2, 5)))), key=Match.start, reverse=True):
        new = rng.choice((rng.choice(NUMBERS), rng.choice(found).group(), rng.choice(EXPRESSIONS)))
        text = text[: match.start()] + new + text[match.end() :]
    return text


def lines(text: str, rng: Random, others: list[str]) -> str:
    """Lines lost, doubled, moved, joined, continued, or taken from another deck."""
    found = text.split("\n")
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at, to = rng.randrange(len(found)), rng.randrange(len(found))
        kind = rng.randrange(8)
        if kind == 0 and len(found) > 1:
            del found[at]
        elif kind == 1:
            found.insert(to, found[at])
        elif kind == 2:
            found[at], found[to] = found[to], found[at]
        elif kind == 3:
            found[at : at + 2] = [" ".join(found[at : at + 2])]
        elif kind == 4:
            found[at] = f"+{found[at]}"
        elif kind == 5:
            other = rng.choice(others).split("\n")
            begin = rng.randrange(len(other))
            found[at:at] = other[begin : begin + rng.randint(1, 6)]
        elif kind == 6:
            found = found[: at + 1]
        else:
            found[at:at] = [found[at]] * rng.choice(SIZES[:4])
    return "\n".join(found)


def commands(text: str, rng: Random) -> str:
    """Statements that try something, put in anywhere."""
    found = text.split("\n")
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        at = rng.randrange(len(found) + 1)
        made = rng.choice((f"b9 b 0 {rng.choice('iv')}={rng.choice(SOURCES)}", rng.choice(COMMANDS)))
        found[at:at] = made.split(";")
    return "\n".join(found)


def _many(template: str) -> Callable[[int], str]:
    return lambda n: "".join(template.format(n=k, next=k + 1) for k in range(n))


def _around(before: str, middle: str, behind: str) -> Callable[[int], str]:
    return lambda n: before * n + middle + behind * n


STRUCTURES: list[Callable[[int], str]] = [
    _many(".param p{n}={n}\n"),
    _many(".param p{n}={{p{next}}}\n"),
    _many(".param p{next}={{p{n}+p{n}}}\n"),
    _many(".func f{next}(x) {{f{n}(x)+f{n}(x)}}\n"),
    _many(".func f{n}(x) {{f{next}(f{next}(x))}}\n"),
    _many("x{n} a b s\n"),
    _many("x{n} a b s{n}\n.subckt s{n} a b\n"),
    _many(".subckt s{n} a b\nx1 a b s{next}\nx2 a b s{next}\n.ends\n"),
    _many("r{n} n{n} n{next} 1\n"),
    _many("c{n} n{n} n{next} {{p{n}}} ic=1\n"),
    _many("b{n} n{n} 0 i=v(n{n})^2+v(n{next})*exp(v(n{n}))\n"),
    _many("l{n} n{n} 0 1\nk{n} l{n} l{next} 0.5\n"),
    _many("d{n} n{n} 0 d{n}\n.model d{n} d\n"),
    _many("*{n}\n+ x\n"),
    _many(".global g{n}\n.ic v(g{n})=1\n"),
    _many(".include include/body.inc\n"),
    _around(".if (1)\n", "r9 b 0 1\n", ".endif\n"),
    _around(".if (0)\n.else\n", "r9 b 0 1\n", ".endif\n"),
    _around(".control\n", "run\n", ".endc\n"),
    lambda n: "".join(f".subckt s{k} a b\n" for k in range(n)) + ".ends\n" * n + "x1 a b s0\n",
    lambda n: f"r9 b 0 {{{'(' * n}1{')' * n}}}\n",
    lambda n: f"r9 b 0 {{{'-' * n}1}}\nb9 b 0 i={'-' * n}v(b)\n",
    lambda n: f"r9 b 0 {{{'1?' * n}1{':1' * n}}}\n",
    lambda n: f"b9 b 0 i={'exp(' * n}v(b){')' * n}\n",
    lambda n: f"b9 b 0 i={'v(b)*' * n}1\n",
    lambda n: f"b9 b 0 i={'(v(b)>0?' * n}1{':2)' * n}\n",
    lambda n: f"b9 b 0 i={'max(v(b),' * n}1{')' * n}\n",
    lambda n: f"b9 b 0 i=v(b){'^v(b)' * n}\n",
    lambda n: f"b9 b 0 i=2{'^64' * n}+(2*v(b)){'^64' * n}\n",
    lambda n: f"b9 b 0 i=1{'/(1+v(b)' * n}{')' * n}\n",
    lambda n: f"v9 b 0 pwl({' '.join(f'{k} {k}' for k in range(n))})\n",
    lambda n: "v9 b 0 pwl(\n" + "".join(f"+ {k} {k}\n" for k in range(n)) + "+)\n",
    lambda n: f".param {' '.join(f'q{k}={k}' for k in range(n))}\n",
    lambda n: ".param\n" + "".join(f"+ q{k}={{q{k + 1}}}\n" for k in range(n)),
    lambda n: f".subckt s {' '.join(f'a{k}' for k in range(n))}\n.ends\nx1 {'b ' * n}s\n",
    lambda n: f".model d d({' '.join(f'q{k}={k}' for k in range(n))})\nd9 b 0 d\n",
    lambda n: f".save {' '.join(f'v({k})' for k in range(n))}\n.options {' '.join(f'o{k}={k}' for k in range(n))}\n",
    lambda n: f".ic {' '.join(f'v(b{k})={k}' for k in range(n))}\n",
    lambda n: f"r9 {'b' * 10 * n} 0 1\n",
    lambda n: f".param {'x' * 10 * n}={'1' * 10 * n}\n",
    lambda n: f"r9 b 0 1 {' ' * 10 * n}\n* {'x' * 10 * n}\n",
    lambda n: f"r9 b 0 {',' * 10 * n}1\n",
    lambda n: f".func f({','.join(f'x{k}' for k in range(n))}) {{1}}\nr9 b 0 {{f({','.join('1' * n)})}}\n",
    lambda n: f"r9 b 0 {{max({','.join('1' * n)})}}\nr8 b 0 {{{'+'.join('1' * n)}}}\n",
    lambda n: f".print tran {'v(b) ' * n}\n.meas tran x {'(' * n}\n",
    lambda n: f"e9 b 0 poly({n}) {'a b ' * n}\nb9 b 0 v=pwl(v(b){',1' * n})\n",
    lambda n: ".subckt s a r=1\nr1 a 0 {r}\n.ends\n" + "".join(f"x{k} b s r={{{k}+1}}\n" for k in range(n)),
    lambda n: "".join(f".subckt s{k} a r=1\nx1 a s{k + 1} r={{r+1}}\n.ends\n" for k in range(n)) + "x1 b s0\n",
]


def structures(text: str, rng: Random) -> str:
    """One of the structures without end, in front or behind, with a use for what it defines."""
    made = rng.choice(STRUCTURES)(rng.choices(SIZES, LIKELY)[0])
    at = text.find("\n") + 1 if rng.random() < 0.7 else len(text)
    return text[:at] + made + rng.choice(("", "r8 b 0 {p0}\n", "r8 b 0 {f0(1)}\n", "x8 a b s0\n")) + text[at:]


def mutant(rng: Random, decks: list[str]) -> str:
    """A deck after one to three mutations."""
    text = rng.choice(decks)
    kinds = (
        letters,
        words,
        values,
        values,
        lambda text, rng: lines(text, rng, decks),
        commands,
        structures,
    )
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        text = rng.choice(kinds)(text, rng)
    return text
