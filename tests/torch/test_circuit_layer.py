# SPDX-License-Identifier: GPL-3.0-or-later
"""Any netlist as a module: derivatives against finite differences of the module, batches, failures, training."""

import numpy as np
import pytest
import torch
from torch.func import functional_call

from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.errors import UserError
from spiceprop.netlist import read_text
from spiceprop.sensitivity.gradient import Problem
from spiceprop.sensitivity.loss import Loss
from spiceprop.torch import CircuitLayer

RC = "* low-pass\nv1 in 0 pulse(0 1 0.1m 20u 20u 0.3m 2m)\nr1 in out 1k\nc1 out 0 100n\n"
CLIPPER = """* clipper
.param rs=1k
v1 in 0 sin(0 2 1k)
r1 in out {rs}
d1 out mid dm
v2 mid 0 0.3
c1 out 0 20n ic=0.1
.model dm d(is=1f n=1.2 cjo=1n rs=5)
"""
STAGE = """* a stage with feedback from its emitter
v1 in 0 pulse(0 0.05 0.1m 0.1m 0.1m 0.2m 2m)
v2 cc 0 5
rb1 cc b 47k
rb2 b 0 10k
cin in b 1u
x1 cc b e out pair
re e 0 470
cl out 0 2n
.subckt pair cc b e out
rc cc out 2.2k
q1 out b e qm
.ends
.model qm npn(is=1f bf=120 vaf=60 cje=10p cjc=5p tf=1n)
"""
SAMPLES = "* samples\nv1 in 0 pwl(0 0 0.13m 1 0.4m 0.2 0.7m 0.5)\nr1 in out 1k\nc1 out 0 100n\n"
EDGES = "* edges that move\nv1 in 0 pulse(0 1 0.1m 47u 67u 0.307m 2m)\nr1 in out 1k\nc1 out 0 100n\n"
TIMES = np.array([0.0, 0.15e-3, 0.4e-3, 0.555e-3, 1e-3])
MEASURES = ["mean(v(out)^2)", "final(v(out))*mean(v(in))", "integral(v(out)*i(v1))*1e6"]
WAVEFORMS = ["v(out)", "v(in,out)^2+v(out)*time*1e3"]
CASES = {  # deck, inputs with the unit of each, trained values
    "rc": (RC, {"V1.pulse.v2": 1.0, "C1": 1e-7}, ["r1", "v1.pulse.v1"]),
    "clipper": (CLIPPER, {"v1.sin.va": 2.0, "v2": 0.3, "param:rs": 1e3}, ["model:dm.is", "ic:c1"]),
    "samples": (SAMPLES, {"V1.PWL": 1.0}, ["r1"]),
    "stage": (STAGE, {"v1.pulse.v2": 0.05, "re": 500.0}, ["x1.rc", "model:qm.bf", "v2"]),
    "edges": (EDGES, {"v1.pulse.td": 1e-4, "c1": 1e-7}, ["v1.pulse.v2"]),
}
STEP = {"edges": 1e-6}
"""Of the differences, relative: the number of points jumps where the time between edges passes a multiple of t_max."""
METHODS = {"trapezoid": "", "backward Euler": ".options maxord=1\n"}
STARTS = {"uic": "uic", "operating point": ""}
EXTENDED = pytest.mark.filterwarnings("ignore:with uic ngspice saves no point at 0")


def netlist(body: str, end: str = ".tran 20u 1m\n"):
    return read_text(f"{body}{end}.end\n", "deck.cir")


def layer_of(case: str, outputs=MEASURES, *, end: str = ".tran 20u 1m\n", workers: int = 1, **words) -> CircuitLayer:
    body, inputs, train = CASES[case]
    return CircuitLayer(netlist(body, end), list(inputs), outputs, train, t_max=2e-5, workers=workers, **words)


def samples_of(case: str, layer: CircuitLayer, batch: int = 2) -> tuple[torch.Tensor, torch.Tensor]:
    """Samples in units, and the units, of each column."""
    units = [unit for name, unit in CASES[case][1].items() for _ in range(4 if name == "V1.PWL" else 1)]
    assert len(units) == len(layer.columns)
    random = torch.Generator().manual_seed(3)
    x = 0.7 + 0.6 * torch.rand(batch, len(units), dtype=torch.float64, generator=random)
    return x, torch.tensor(units, dtype=torch.float64)


@EXTENDED
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", ["measures", "waveforms"])
@pytest.mark.parametrize("case", CASES)
def test_gradcheck_by_inputs_and_trained_values(case, kind, method, start):
    """torch's own finite differences of the module, whose every evaluation is ngspice."""
    outputs, times = (MEASURES, None) if kind == "measures" else (WAVEFORMS, TIMES)
    step = STEP.get(case, 1e-4)
    with layer_of(case, outputs, times=times, end=f"{METHODS[method]}.tran 20u 1m {STARTS[start]}\n") as layer:
        x, units = samples_of(case, layer)
        theta = torch.full_like(layer.theta, 0.1).requires_grad_()

        def run(x: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
            return functional_call(layer, {"theta": theta}, (x * units,))

        assert torch.autograd.gradcheck(run, (x.requires_grad_(), theta), eps=step, atol=1e-5, rtol=2e-4)
        found = run(x, theta)
        assert found.shape == ((2, 3) if kind == "measures" else (2, 2, 5))
        slopes = torch.autograd.grad(found.abs().sum(), (x, theta))
        assert min(slope.abs().max() for slope in slopes) > 1e-2, "nothing depends on anything"


def test_measures_and_their_gradients_are_those_of_grad_on_the_same_steps():
    deck, loss = netlist(RC), "mean((v(out)-0.2)^2)"
    with IsolatedSimulator() as simulator:  # on the layer's steps
        problem = Problem(deck, Loss(loss), ["V1.pulse.v2", "c1", "r1"], simulator)
        reference = problem.gradient(*problem.solve())
    with CircuitLayer(deck, ["V1.pulse.v2", "c1"], [loss], ["r1"], workers=1) as layer:
        x = torch.tensor([[1.0, 1e-7]], dtype=torch.float64, requires_grad=True)
        found = layer(x)
        found.sum().backward()
    assert found.item() == pytest.approx(reference.loss, rel=1e-6)
    mine = [*x.grad[0].tolist(), layer.theta.grad.item() / 1e3]
    assert mine == pytest.approx(list(reference.gradients.values()), rel=1e-5)


def test_waveforms_are_those_of_the_circuit_at_their_times():
    """Of a low-pass behind a step, on the line between points that are 1 us apart; the first stands for t = 0."""
    times = np.linspace(0, 1e-3, 23)
    deck = netlist("* step\nv1 in 0 2\nr1 in out 1k\nc1 out 0 200n ic=0.5\n", ".tran 20u 1m uic\n")
    with pytest.warns(UserWarning, match="the first point is extended to it"):
        layer = CircuitLayer(deck, ["v1"], ["v(out)", "v(in)-v(out)"], times=torch.tensor(times), t_max=1e-6, workers=1)
    with layer:
        found = layer(torch.tensor([[2.0], [-1.0]], dtype=torch.float64))
    for level, (out, across) in zip([2.0, -1.0], found.numpy(), strict=True):
        expected = level + (0.5 - level) * np.exp(-times / 200e-6)
        np.testing.assert_allclose(out[1:], expected[1:], atol=2e-5)
        np.testing.assert_allclose(out[0], 0.5, atol=2e-3)
        np.testing.assert_allclose(across, level - out, rtol=1e-12)


def test_a_batch_is_its_samples_one_by_one_with_any_number_of_workers():
    with layer_of("clipper", workers=1) as one, layer_of("clipper", workers=2) as two:
        x, units = samples_of("clipper", one, 5)
        x = (x * units).requires_grad_()
        together = two(x)
        together.square().sum().backward()
        by_input, by_theta = x.grad.clone(), two.theta.grad.clone()
        x.grad = None
        for place in range(5):
            alone = one(x[place : place + 1])
            assert torch.equal(alone[0], together[place])
            alone.square().sum().backward()
        assert torch.equal(x.grad, by_input)
        torch.testing.assert_close(one.theta.grad, by_theta, rtol=1e-12, atol=0)


FAILURES = {
    "no number": (float("nan"), r"1 of 3 samples failed and are NaN; sample 1 refused: r1 is no finite number"),
    "a number that the netlist does not take": (0.0, r"sample 1 refused: deck.cir:3: r1 has 0 Ohm"),
    "a circuit that ngspice cannot solve": (-100.0, r"sample 1 not converged: "),
}


@pytest.mark.parametrize("what", FAILURES)
def test_a_failed_sample_is_nan_with_a_warning_and_nothing_flows_back(what):
    number, message = FAILURES[what]
    body = "* d\nv1 in 0 sin(0 3 1k)\nr1 in a 1k\nd1 a 0 dm\nc1 a 0 1n\n.model dm d(is=1f)\n"
    with CircuitLayer(netlist(body), ["r1"], ["mean(v(a)^2)", "final(v(a))"], ["c1"], workers=2) as layer:
        x = torch.tensor([[900.0], [number], [1.1e3]], dtype=torch.float64, requires_grad=True)
        with pytest.warns(UserWarning, match=message):
            found = layer(x)
        assert torch.isnan(found).all(dim=1).tolist() == [False, True, False]
        assert torch.isfinite(found).all(dim=1).tolist() == [True, False, True]
        found.nansum().backward()
        by_theta = layer.theta.grad.clone()
        layer.zero_grad()
        good = x.detach()[[0, 2]].requires_grad_()
        layer(good).sum().backward()
    assert x.grad[1].item() == 0
    assert torch.equal(x.grad[[0, 2]], good.grad)
    assert torch.equal(layer.theta.grad, by_theta)


WRONG = {
    "no such element": ({"inputs": ["r9"]}, None, "there is no element 'r9'; there are v1 r1 c1"),
    "no such value": ({"inputs": ["r1.tc7"]}, 3, "'r1.tc7': r1 has no 'tc7'; it offers r1"),
    "no such trained value": ({"train": ["v1.sin.va"]}, 2, "v1 has no 'sin.va'; it offers v1.pulse.v1"),
    "no points": ({"inputs": ["v1.pwl"]}, 2, "v1 has no 'pwl'; it offers v1.pulse.v1"),
    "no such node": ({"outputs": ["mean(v(uot))"]}, None, "the circuit has no v(uot); there are v(in) v(out) i(v1)"),
    "no outputs": ({"outputs": []}, None, "there are no outputs"),
    "both kinds of outputs": (
        {"outputs": ["mean(v(out))", "v(out)"], "times": [1e-3]},
        None,
        "'mean(v(out))' is a measure and 'v(out)' a waveform",
    ),
    "no times": ({"outputs": ["v(out)"]}, None, "'v(out)' is a waveform: give times"),
    "times of measures": ({"times": [1e-3]}, None, "'final(v(out))' is a measure and has none"),
    "times behind the end": ({"outputs": ["v(out)"], "times": [0, 2e-3]}, None, "from 0 to the end of .tran, 0.001 s"),
    "what is linear is not trained": ({"train": ["c1"], "linear": ["V1"]}, None, "linear: 'v1' is not trained"),
    "a name twice": ({"train": ["v1.pulse.v2"]}, None, "'v1.pulse.v2' is named twice"),
    "a number twice": ({"train": ["R1"]}, None, "'r1' and 'R1' name the same number"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_requests_are_refused_with_their_place(what):
    words, line, message = WRONG[what]
    words = {"inputs": ["v1.pulse.v2", "r1"], "outputs": ["final(v(out))"], **words}
    with pytest.raises(UserError) as caught:
        CircuitLayer(netlist(RC), **words)
    assert message in caught.value.message
    assert caught.value.line == line
    if line or "element" in message:
        assert caught.value.file == "deck.cir"


DECIDING = {
    "a branch": (".param k=1\n.if (k>0)\nr2 out 0 1k\n.endif\n", "param:k", 6, ".tran 20u 1m\n"),
    "the end, by another parameter": (".param k=1m\n.param stop={2*k}\n", "param:k", 7, ".tran 20u {stop}\n"),
    "the temperature": (".param k=40\n.options temp={k}\n", "param:k", 6, ".tran 20u 1m\n"),
    "a branch inside": (
        ".param k=1\nx1 out 0 s p={k}\n.subckt s a b p=2\n.if (p>0)\nr2 a b 1k\n.endif\n.ends\n",
        "param:k",
        8,
        ".tran 20u 1m\n",
    ),
}


@pytest.mark.parametrize("what", DECIDING)
def test_a_parameter_that_decides_what_the_circuit_is_can_be_no_input(what):
    lines, name, line, end = DECIDING[what]
    with pytest.raises(UserError, match="'param:k': this follows from it") as caught:
        CircuitLayer(netlist(RC + lines, end), [name], ["final(v(out))"])
    assert (caught.value.file, caught.value.line) == ("deck.cir", line)


def test_a_circuit_that_cannot_be_simulated_as_it_stands_is_refused():
    with pytest.raises(UserError, match=r"deck.cir: the circuit as it stands cannot be simulated .*not converged"):
        CircuitLayer(netlist(CLIPPER.replace("n=1.2", "n=-1")), ["v2"], ["final(v(out))"])


def test_samples_of_another_size_are_refused():
    layer = layer_of("rc")
    with pytest.raises(UserError, match=r"\(batch, 2\) for this circuit \(V1.pulse.v2 C1\), found \(3, 4\)"):
        layer(torch.zeros(3, 4))


def test_what_stands_in_an_included_file_may_be_named(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "low.inc").write_text(".subckt low a b\nr1 a b 1k\nc1 b 0 100n\n.ends\n")
    text = "* t\n.include models/low.inc\nv1 in 0 sin(0 1 1k)\nx1 in out low\n.tran 20u 1m\n.end\n"
    (tmp_path / "t.cir").write_text(text)
    with CircuitLayer(tmp_path / "t.cir", "x1.r1", "mean(v(out)^2)", workers=1) as layer:
        found = layer(torch.tensor([[1e3], [2e3]]))
    assert found.dtype == torch.float32
    assert found[0] > 1.5 * found[1]


def test_what_is_above_0_stays_there_but_what_is_linear_need_not():
    words = {"train": ["r1", "V1.pulse.v2", "v1.pulse.v1"], "linear": ["v1.PULSE.v2"], "workers": 1}
    with CircuitLayer(netlist(RC), [], ["final(v(out))"], **words) as layer:
        assert layer.values() == {"r1": 1e3, "V1.pulse.v2": 1.0, "v1.pulse.v1": 0.0}
        with torch.no_grad():
            layer.theta.fill_(-3.0)
        assert layer.values() == pytest.approx({"r1": 1e3 * np.exp(-3), "V1.pulse.v2": -2.0, "v1.pulse.v1": -3.0})


def test_state_dict_holds_the_trained_values():
    with layer_of("clipper") as layer, layer_of("clipper") as other:
        x, units = samples_of("clipper", layer)
        with torch.no_grad():
            layer.theta.copy_(torch.tensor([0.5, 2.0]))
        assert not torch.equal(layer(x * units), other(x * units))
        assert list(layer.state_dict()) == ["theta"]
        other.load_state_dict(layer.state_dict())
        assert torch.equal(layer(x * units), other(x * units))
        assert (
            other.values()
            == layer.values()
            == pytest.approx({"model:dm.is": 1e-15 * np.exp(0.5), "ic:c1": 0.1 * np.exp(2)})
        )


def test_an_empty_batch_has_no_outputs_and_no_gradient():
    with layer_of("rc") as layer:
        found = layer(torch.zeros(0, 2, requires_grad=True))
        assert found.shape == (0, 3)
        found.sum().backward()
        assert layer.theta.grad.tolist() == [0, 0]


def test_an_edit_of_the_netlist_afterwards_is_none_of_the_module():
    deck = netlist(RC)
    with CircuitLayer(deck, "v1.pulse.v2", "final(v(out))", workers=1) as layer:
        before = layer(torch.ones(1, 1))
    deck.edit(deck.body.elements[1].value, 5e3)
    with layer:
        assert torch.equal(layer(torch.ones(1, 1)), before)


def test_closed_processes_are_started_again():
    layer = layer_of("rc")
    x, units = samples_of("rc", layer)
    with layer:
        before = layer(x * units)
    with layer:
        assert torch.equal(layer(x * units), before)


def test_a_circuit_between_ordinary_layers_learns():
    torch.manual_seed(0)
    circuit = layer_of("clipper", ["mean(v(out))", "final(v(out))"])
    units = torch.tensor([1.0, 0.5, 1e3])
    first, last = torch.nn.Linear(2, 3), torch.nn.Linear(2, 1)
    x = torch.rand(6, 2)
    wanted = (x[:, :1] * x[:, 1:]).sqrt()
    optimiser = torch.optim.Adam([*first.parameters(), *circuit.parameters(), *last.parameters()], lr=0.03)
    losses = []
    with circuit:
        for _ in range(8):
            volts = units * (0.3 + torch.sigmoid(first(x)))
            loss = (last(circuit(volts)) - wanted).square().mean()
            optimiser.zero_grad()
            loss.backward()
            assert all(p.grad.abs().max() > 0 for p in [first.weight, circuit.theta, last.weight])
            optimiser.step()
            losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
