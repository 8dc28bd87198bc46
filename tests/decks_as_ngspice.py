# SPDX-License-Identifier: GPL-3.0-or-later
"""The decks of ``tests/decks``, what their comments expect of the reader, and what ``ngspice -b`` makes of them.

A deck is one habit of real netlists. Its second line says which (``* Habit: ...``); a deck that must be refused says
with what word instead (``* refused: WORD``). The refusal has to point at a line that contains the word, or the text
behind ``* at:``, in the deck or in the file named by ``* in:``; ``* at: the whole file`` is no line at all.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from plain_ngspice import plain_ngspice

from spiceprop.engines import Trajectory, libraries

DECKS = Path(__file__).parent / "decks"

# What ngspice adds: states of devices, nodes of expanded behavioural elements, ammeters of .probe alli and of i(L1) or
# i(R1) in a B source, device quantities.
NGSPICES_OWN = re.compile(r"#|_int[12]\)|probe_int_|_vmeas_|i\(v_[lrcgid]\d|@")

# What ngspice makes code models of. The checkout's own ngspice comes without any, the system's has them, whatever its
# version; such a deck has even steps, solved so tightly that versions agree.
CODE_MODELS = re.compile(r"^\s*[efgh]\S* .*\b(poly|table)\b", re.I | re.M)


@dataclass(frozen=True)
class Refusal:
    """A word of the message, and the file and a text of the line that it has to point at."""

    word: str
    file: Path
    line: str


def refusal_of(path: Path) -> Refusal | None:
    """What the deck's comments say of its refusal, if it is to be refused."""
    found = dict(re.findall(r"^\* (refused|at|in): (.*?)\r?$", path.read_text("latin-1"), re.M))
    if "refused" not in found:
        return None
    return Refusal(found["refused"], DECKS / found.get("in", path.name), found.get("at", found["refused"]))


def deck_names(*, refused: bool) -> list[str]:
    return sorted(path.stem for path in DECKS.glob("*.cir") if (refusal_of(path) is not None) == refused)


def for_batch(text: bytes) -> bytes:
    """The deck without what keeps ``ngspice -b`` from writing a sound raw file.

    With commands it writes none; a ``tran`` among them is kept. With ``interp`` it writes values beside the times
    that they belong to (39 and 46).
    """
    sections = re.compile(rb"^\.control\b.*?^\.endc\b[^\n]*\n", re.M | re.S | re.I)
    command = re.search(rb"^tran .*\n", b"".join(sections.findall(text)), re.M)
    asked = command and not re.search(rb"^\.tran\b", text, re.M | re.I)
    text = sections.sub(lambda section: b"." + command.group() if asked else b"", text)
    text = re.sub(rb"^\*#.*\n", b"", text, flags=re.M)
    return re.sub(rb"^\.options interp\n", b"", text, flags=re.M)


def run_in_ngspice(path: Path) -> dict[str, np.ndarray]:
    """The transient of a deck in ``ngspice -b``. The deck is rewritten: it must be a copy."""
    assert DECKS not in path.parents
    path.write_bytes(for_batch(path.read_bytes()))
    return plain_ngspice(path, libraries.SYSTEM if CODE_MODELS.search(path.read_text("latin-1")) else None)


def expected_names(plain: dict[str, np.ndarray]) -> set[str]:
    """Node voltages and currents of V sources in ngspice's answer, without what is ngspice's own."""
    return {name for name in plain if re.match(r"v\(|i\(v", name) and not NGSPICES_OWN.search(name)}


def difference(trajectory: Trajectory, plain: dict[str, np.ndarray]) -> dict[str, float]:
    """Largest distance of each waveform that both have, over the whole run, relative to the waveform's range."""
    worst = {}
    for name in set(plain) & set(trajectory.names):
        ours = np.interp(plain["time"], trajectory.times, trajectory[name])
        scale = max(np.ptp(plain[name]), 1e-6 * np.abs(plain[name]).max(), 1e-12)
        worst[name] = float(np.abs(ours - plain[name]).max() / scale)
    return worst
