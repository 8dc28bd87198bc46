# SPDX-License-Identifier: GPL-3.0-or-later
"""What a deck's options become where ngspice would have code models."""

import pytest

from spiceprop.engines import as_with_code_models, transient_of
from spiceprop.netlist import flatten, read_text

SOURCES = {
    "POLY": "e1 a 0 poly(1) b 0 0 1",
    "TABLE": "e1 a 0 table {v(b)} = (0,0) (1,1)",
    "E": "e1 a 0 b 0 1",
    "VALUE": "e1 a 0 value={v(b)}",
    "pwl()": "b1 a 0 v=pwl(v(b),0,0,1,1)",
}


@pytest.mark.parametrize(("given", "with_models"), [("", 1.0), (".options trtol=7", 1.0), (".options trtol=0.5", 0.5)])
@pytest.mark.parametrize("source", SOURCES)
def test_trtol_is_at_most_1_with_poly_or_table(source, given, with_models):
    netlist = read_text(f"* t\nv1 b 0 1\n{SOURCES[source]}\n{given}\n.tran 1u 1m\n")
    own = transient_of(netlist)
    found = as_with_code_models(own, flatten(netlist))
    if source in ("POLY", "TABLE"):
        assert found.options["trtol"] == with_models
    else:
        assert found is own
