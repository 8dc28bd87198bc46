# SPDX-License-Identifier: GPL-3.0-or-later
"""Small cells, each with something that equations may get wrong."""

from spiceprop.circuit import Cell
from spiceprop.netlist import read_text

CELLS = {
    "R and C": ".subckt cell mem r=2k c=1u v0=0.1\nR1 mem 0 {r}\nC1 mem 0 {c} ic={v0}\n.ends",
    "parallel, floating and towards a held node": (
        ".subckt cell mem c=1u v0=50m e=0.3\nC1 mem 0 {c} ic={v0}\nC2 0 mem {2*c} ic={-v0}\nC3 mem b "
        "{c} ic={v0}\n"
        "C4 b 0 {3*c}\nV1 h 0 {e}\nC5 mem h {c} ic={v0-e}\nC6 h 0 1u\nR1 b 0 1k\nR2 mem h 3k\n.ends"
    ),
    "a loop of capacitors": (
        ".subckt cell mem c=1u\nC1 mem 0 {c}\nC2 mem b {2*c}\nC3 b 0 {c}\nR1 b 0 1k\nR2 mem b 500\n.ends"
    ),
    "a floating V and a sensed one": (
        ".subckt cell mem e=0.2 r=1k\nC1 mem 0 1u\nV1 mem b {e}\nRb b c {r}\nVs c 0 0\nF1 mem 0 Vs 0.5\n"
        "H1 h 0 Vs 100\nRh h mem {2*r}\nCh h 0 1n\nB1 mem 0 I=i(vs)^2*10\n.ends"
    ),
    "E, G and a chain of held nodes": (
        ".subckt cell mem g=2 e=0.1\nC1 mem 0 1u\nE1 a 0 mem h2 {g}\nRa a mem 1k\nV1 h 0 {e}\nV2 h h2 {2*e}\n"
        "G1 mem 0 mem h {1m*g}\nR1 mem h2 5k\nI1 0 mem 10u\n.ends"
    ),
    "behavioural I and V with a state of their own": (
        ".subckt cell mem k=2 tau=0.5m von=20m v0=5m\nC1 mem 0 1u ic={v0}\n"
        "Bx 0 x I=1/(1+exp((von-v(mem))/5m))-v(x)\nCx x 0 {tau} ic=0.3\n"
        "Bv y 0 V=k*v(mem)^2+uramp(v(x,mem))\nRy y mem 2k\nB2 mem 0 I=1m*pwr(v(mem),1.5)*v(x)\nR1 "
        "mem 0 1k\n.ends"
    ),
    "derived parameters and a nested subcircuit": (
        ".subckt part a b g=1m c=1u\nB1 a b I=v(a,b)*g\nC1 a b {c}\n.ends\n"
        ".subckt cell mem c=1u ratio=0.5 second={c*ratio} start=10m\n.param gm={ratio/1k}\nC1 mem 0 {c}\n"
        "X1 mem d part c={second} g={gm}\nR1 d 0 {2k*ratio}\n.ic v(mem)={start}\n.ends"
    ),
    "POLY, TABLE and pwl()": (
        ".subckt cell mem k=0.5 top=0.3\nC1 mem 0 1u ic=20m\n"
        "B1 mem 0 I=1m*pwl(v(mem),-0.1,-0.2,5m,0,{k*20m},0.1,30m,{top})\n"
        "G1 mem 0 POLY(1) mem 0 2u {1m*k} 10m -20m\nE1 t 0 TABLE {k*v(mem)} = (-10m,{-top}) (3m,0.1) (10m,0.15)\n"
        "R1 mem t 10k\nR2 mem 0 1k\n.ends"
    ),
}

# the inductor's start is no voltage of a node
MORE_CELLS = CELLS | {
    "an inductor": (
        ".subckt cell mem l=10m r=20 c=1u v0=0.1 i0=1m\nC1 mem 0 {c} ic={v0}\nL1 mem b {l} ic={i0}\nR1 b 0 {r}\n"
        "R2 mem 0 10k\n.ends"
    ),
}


def cell_of(text: str, **supplies: float) -> Cell:
    return Cell.from_netlist(read_text(f"* t\n{text}\n", "neuron.cir"), "cell", supplies)
