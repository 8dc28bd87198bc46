# SPDX-License-Identifier: GPL-3.0-or-later
"""Gradients through the memristors of `models/` against finite differences of ngspice, and the libraries as users have
them: included from a netlist beside `models/`, in `spiceprop check` and in plain ``ngspice -b``."""

import numpy as np
import pytest
from differences import METHODS, TOLERANCE, deviations
from memristors import MEMRISTORS, MODELS, deck
from plain_ngspice import read_raw, run_ngspice

from spiceprop.check import check_file
from spiceprop.netlist import read_netlist
from spiceprop.simulation import simulate

LARGEST = {
    "linear_ion_drift": 1e-4,
    "linear_ion_drift_biolek": 1e-4,
    "vteam": 3e-4,
    "yakopcic": 2e-3,
    "metastable_switch_retentive": 5e-4,
    "filament": 3e-3,
}
"""Orders of the currents, A: so both terms of the loss act."""


def source(name: str) -> str:
    one = MEMRISTORS[name]
    return f"sin({one.offset} {one.amplitude} {one.frequency})"


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", MEMRISTORS)
def test_gradients_agree_with_finite_differences_of_ngspice(name, method, simulator):
    one = MEMRISTORS[name]
    until = 0.8 * one.period
    text = deck(name, source(name), until, until / 500, f"x0={one.x0}", METHODS[method])
    names = " ".join(f"param:x1.{value}" for value in ["x0", *one.moved.split()])
    loss = f"final(v(x))+mean((i(v1)/{LARGEST[name]})^2)"
    found, _ = deviations(text, names, simulator, loss, until / 500)
    worst = max(found, key=lambda name: found[name][0])
    print(f"\n{name} | {found[worst][0]:.1e} ({worst})", end="")
    for name, (deviation, error) in found.items():
        assert error < TOLERANCE, f"the reference of {name} is no reference"
        assert deviation < TOLERANCE, name


@pytest.fixture
def project(tmp_path):
    """A netlist in ``netlists/`` that includes a library of ``models/``."""
    (tmp_path / "netlists").mkdir()
    (tmp_path / "models").symlink_to(MODELS)

    def write(name: str):
        one, path = MEMRISTORS[name], tmp_path / "netlists" / "n.cir"
        path.write_text(
            f"* {name}\n.include ../models/{one.library}\nv1 p 0 {source(name)}\nrs p q 10\n"
            f"x1 q 0 x {name} x0={one.x0}\n.tran {one.period / 500} {one.period} uic\n.end\n"
        )
        return path

    return write


@pytest.mark.parametrize("name", MEMRISTORS)
def test_check_finds_no_problem(name, project):
    found = check_file(project(name))
    assert found.supported
    assert found.summary()["problems"] == []


@pytest.mark.parametrize("name", MEMRISTORS)
def test_plain_ngspice_computes_the_same_from_the_library_itself(name, project, simulator):
    path = project(name)
    said = run_ngspice(path, "-r", "out.raw")
    plain = read_raw(path.with_name("out.raw"))
    ours = simulate(read_netlist(path), simulator=simulator)
    assert len(plain["time"]) == len(ours.times), said
    np.testing.assert_allclose(ours["v(x)"], plain["v(x)"], atol=1e-9)
