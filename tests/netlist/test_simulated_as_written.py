# SPDX-License-Identifier: GPL-3.0-or-later
"""The flattened, printed circuit in the library is the designer's file in plain ngspice."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from spiceprop.engines import deck, transient_of
from spiceprop.engines.ngspice import Simulator
from spiceprop.netlist import flatten, read_netlist

ROOT = Path(__file__).parents[2]

EVERYTHING = """* every element, nested subcircuits
.param scale=2 late='scale*step'
.param step = 0.5
.subckt divider top out  r=1k ratio={scale/4}
.param lower={r*ratio/(1-ratio)}
Rtop top out {r}
.subckt load a b c=1u
Cab a b {c} ic=0.1
Rab a b {lower*10}
.ends load
Xl out gnd load c={r*1n}
.ends
.subckt stage in out params: gain=3 v0=0.2
X1 in mid divider r=2k
V1 mid sense 0
Rs sense 0 5k
E1 e 0 (mid,0) {gain}
G1 0 out mid in 1m
F1 0 out V1 {-gain}
H1 h 0 V1 1k
Rh h out 1k
Re e out 2k
Co out in 1u
Bnl out 0 I = 1m*tanh(v(out,in)/{late}) + i(V1)*{gain} + pwr(v(mid),1.5)*1u
+ + (v(out) > 0.3 ? 1u : -1u*u(v(in)))
Bv bv 0 V = {v(mid)^2 + exp(-v(out)) - time*k}
.param k=3
Rb bv out 1meg
.ic v(out)={v0}
.ends stage
Vin in 0 DC 0 PULSE(-0.5 1 0.1m 20u 30u 0.3m 1m)
Ipwl 0 out2 PWL(0 0 0.2m {late}m 0.5m -0.2m
+ 1m 0)
Xa in out1 stage gain=2
XB out1 out2 stage v0={-0.1}
Rl out2 0 1k
.tran 10u 2m uic
.options reltol=1e-6 vntol=1e-9 abstol=1e-15 chgtol=1e-14 trtol=7000
.end
""".replace("{late}m", "{late/1000}")

CASES = {
    "mif": ("netlists/mif.cir", ["v(mem)", "v(xn.x1)", "v(xn.x2)"]),
    "mif_firing": ("netlists/mif_firing.cir", ["v(mem)", "v(xn.x1)", "v(xn.x2)"]),
    "everything": (None, ["v(out1)", "v(out2)", "v(xa.mid)", "v(xb.mid)", "v(xb.h)", "v(xa.bv)"]),
}


def plain_ngspice(path: Path, saves: list[str], t_max: float, ngspice) -> np.ndarray:
    """Times and values of ``ngspice -b``; only its step bound is made spiceprop's."""
    text = re.sub(r"^(\.tran \S+ \S+) uic", rf"\1 0 {t_max!r} uic", path.read_text(), flags=re.M)
    control = f".control\nset numdgt=15\nset wr_singlescale\nrun\nwrdata out.txt {' '.join(saves)}\n.endc\n.end\n"
    ngspice(re.sub(r"^\.(save|print).*\n|^\.end\n", "", text, flags=re.M) + control, path.parent)
    return np.loadtxt(path.parent / "out.txt").T


@pytest.mark.parametrize(("name", "saves"), CASES.values(), ids=CASES)
def test_the_library_gives_the_transient_of_the_file(name, saves, tmp_path, ngspice):
    folder = tmp_path / "netlists"
    folder.mkdir()
    shutil.copytree(ROOT / "models", tmp_path / "models")
    path = folder / "n.cir"
    path.write_text((ROOT / name).read_text() if name else EVERYTHING)
    netlist = read_netlist(path)
    transient = transient_of(netlist)
    simulator = Simulator.shared()
    simulator.load(deck(flatten(netlist), transient, saves), saves, transient.t_stop)
    trajectory = simulator.run()
    assert trajectory.ok, trajectory.message
    truth = plain_ngspice(path, saves, transient.longest_step, ngspice)
    assert truth.shape[1] > 100
    np.testing.assert_allclose(trajectory.times, truth[0], rtol=1e-9, atol=0)
    np.testing.assert_allclose(trajectory.values, truth[1:], rtol=0, atol=1e-9)
    assert (np.ptp(trajectory.values, axis=1) > 1e-3).all(), "nothing happened"
