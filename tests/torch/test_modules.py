# SPDX-License-Identifier: GPL-3.0-or-later
"""Circuits as modules, in both engines: derivatives, losses and optimisers of torch, failures."""

import numpy as np
import pytest
import torch
from small_networks import NETLISTS, TIGHT
from torch.func import functional_call
from torch.nn.functional import cross_entropy

from spiceprop.adjoint.finite_difference import central_difference
from spiceprop.cluster.in_process import InProcess
from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.cluster.pool import Pool, chunks
from spiceprop.cluster.worker import Job
from spiceprop.compile.neurons import compiled_if_possible
from spiceprop.engines.native import NativeEngine
from spiceprop.errors import UserError
from spiceprop.experiment import circuit_of
from spiceprop.learning import batch_gradient
from spiceprop.network import Readout
from spiceprop.torch import CircuitNetwork, NeuronLayer

ENGINES = ("native", "ngspice")
MIF = f"{NETLISTS / 'mif.cir'}:mif"
KEYS = {"neuron": MIF, "i_scale": (0.3, 3.0), "row_reference": 0.02, "spread": 2e-5, "readout_scale": 300.0}


def network_of(engine: str, *, tight: bool = False, train=(), workers: int = 1, **keys) -> CircuitNetwork:
    simulation = {"engine": engine, "t_stop": 10e-3, "t_max": 1e-5 if tight else 5e-4}
    if tight and engine == "ngspice":
        simulation["options"] = TIGHT
    circuit = circuit_of({"layers": (4, 3, 2), **KEYS, **keys}, simulation, NETLISTS)
    return CircuitNetwork(circuit, seed=7, train=train, workers=workers, dtype=torch.float64)


def samples(images: int = 3) -> torch.Tensor:
    return torch.rand(images, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1))


def loss_of(scores: torch.Tensor) -> torch.Tensor:
    return cross_entropy(300 * scores, torch.arange(len(scores)) % 2)


@pytest.mark.parametrize("readout", ["mean", "max"])
@pytest.mark.parametrize("scheme", ["trapezoid", "euler", "linear"])
def test_gradcheck_of_the_native_engine(scheme, readout):
    """By the samples, both crossbars and three parameters of the neuron."""
    simulation = {"engine": "native", "scheme": scheme, "t_stop": 10e-3, "t_max": 5e-4}
    circuit = circuit_of({"layers": (4, 3, 2), **KEYS, "readout": readout}, simulation, NETLISTS)
    module = CircuitNetwork(circuit, seed=7, train=["tau", "e1", "x0"], dtype=torch.float64)
    names = ["theta.0", "theta.1", "neuron.tau", "neuron.e1", "neuron.x0"]
    start = [dict(module.named_parameters())[name].detach().clone().requires_grad_() for name in names]

    def scores(x: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return 10 * functional_call(module, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(scores, (samples().requires_grad_(), *start), eps=1e-5, atol=1e-6, rtol=1e-4)


def test_gradient_is_the_finite_difference_of_ngspice():
    """By a conductance of each crossbar, a sample and a parameter of the neuron, which ngspice gets by its text."""
    with network_of("ngspice", tight=True, train=["tau"]) as module:
        x = samples(2).requires_grad_()
        loss_of(module(x)).backward()
        places = [
            (module.theta[0], (0, 1, 2), 2e-3),
            (module.theta[1], (1, 2, 0), 2e-3),
            (x, (1, 2), 2e-3),
            (module.neuron["tau"], (), 1e-4),
        ]
        for tensor, place, step in places:
            start = tensor[place].item()

            def loss(value: float, tensor=tensor, place=place) -> float:
                with torch.no_grad():
                    tensor[place] = value
                    return loss_of(module(x)).item()

            reference = central_difference(loss, start, step)
            loss(start)
            size = max(abs(reference.value), 0.02 * tensor.grad.abs().max().item())
            assert reference.error < 5e-4 * size
            assert abs(tensor.grad[place].item() - reference.value) < 1e-3 * size


@pytest.mark.parametrize("engine", ENGINES)
def test_gradient_of_conductances_is_that_of_training(engine):
    x = samples(9)  # two chunks of ngspice, whose waveforms have different numbers of points
    labels = np.arange(9) % 2
    with network_of(engine) as module:
        loss = loss_of(module(x))
        loss.backward()
        network, readout = module.network(), Readout("mean", 300.0)
        if engine == "native":
            runner = InProcess(network, readout, NativeEngine(network, "trapezoid", np.float64))
        else:
            with IsolatedSimulator() as simulator:
                compiled = compiled_if_possible(network.cell, simulator.version)
            runner = Pool(Job(network, network.program(compiled), readout), 1)
        with runner:
            tasks = chunks(network, x.numpy(), labels, [bar.g for bar in network.crossbars], 0, gradient=True)
            results = list(runner.map(tasks))
    assert loss.item() == pytest.approx(np.concatenate([result.losses for result in results]).mean(), rel=1e-9)
    for theta, gradient in zip(module.theta, batch_gradient(network, x.numpy(), results), strict=True):
        np.testing.assert_allclose(theta.grad / (1e-4 - 1e-6), gradient, rtol=1e-6, atol=1e-9 * np.abs(gradient).max())


@pytest.mark.parametrize("engine", ENGINES)
def test_a_circuit_between_other_layers_learns_by_an_optimiser_of_torch(engine):
    torch.manual_seed(0)
    layer = NeuronLayer(4, 3, MIF, engine=engine, t_stop=10e-3, t_max=5e-4, i_scale=0.3, spread=2e-5, workers=1)
    model = torch.nn.Sequential(torch.nn.Linear(5, 4), torch.nn.Sigmoid(), layer, torch.nn.Linear(3, 2))
    model[3].weight.data *= 50  # membranes are some 10 mV
    x, labels = torch.rand(8, 5), torch.arange(8) % 2
    optimiser = torch.optim.Adam(model.parameters(), lr=0.002)
    losses = []
    with layer:
        for _ in range(4):
            optimiser.zero_grad()
            loss = cross_entropy(model(x), labels)
            loss.backward()
            assert all(p.grad.abs().max() > 0 for p in [model[0].weight, layer.theta[0], model[3].weight])
            optimiser.step()
            layer.clamp_()
            losses.append(loss.item())
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]


def test_clamped_conductances_are_within_their_bounds():
    module = network_of("native")
    with torch.no_grad():
        module.theta[0] += 5
        module.theta[1] -= 5
    module.clamp_()
    first, second = (bar.g for bar in module.network().crossbars)
    np.testing.assert_allclose(first, 1e-4)
    np.testing.assert_allclose(second, 1e-6)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_failed_sample_is_nan_with_a_warning_and_nothing_flows_back(engine):
    x = samples(5)
    x[2] = 1e100
    x.requires_grad_()
    good = [0, 1, 3, 4]
    with network_of(engine) as module:
        with pytest.warns(UserWarning, match="1 of 5 samples failed and are NaN; sample 2 not converged: "):
            scores = module(x)
        assert torch.isnan(scores).any(dim=1).tolist() == [False, False, True, False, False]
        scores.sum().backward()
        found = [x.grad[good], *(theta.grad.clone() for theta in module.theta)]
        assert not x.grad[2].any()
        module.zero_grad()
        clean = x.detach()[good].requires_grad_()
        module(clean).sum().backward()
    for mine, reference in zip(found, [clean.grad, *(theta.grad for theta in module.theta)], strict=True):
        np.testing.assert_allclose(mine, reference, rtol=1e-6, atol=1e-9 * reference.abs().max().item())


@pytest.mark.parametrize("engine", ENGINES)
def test_waveforms_have_a_gradient_at_their_last_points_too(engine):
    """Images of ngspice have different numbers of points: where the last is repeated, its gradient is a sum."""
    x = samples(9)
    with network_of(engine) as module:
        found = module.waveforms(x)
        assert found.times.shape == found.membranes.shape[:2]
        assert (found.times[0] == 0).all()
        assert found.times[-1].numpy() == pytest.approx(10e-3)
        found.membranes[-1].sum().backward()
        by_last = module.theta[1].grad.clone()
        counts = (torch.diff(found.times, dim=0) > 0).sum(dim=0)
        assert (counts.min() < counts.max()) == (engine == "ngspice")
        module.zero_grad()
        again = module.waveforms(x)
        again.membranes[counts, torch.arange(9)].sum().backward()
    assert by_last.abs().max() > 0
    torch.testing.assert_close(module.theta[1].grad, by_last)


def test_parameters_of_the_neuron_stand_in_the_text_that_ngspice_gets():
    scores = {}
    for engine in ENGINES:
        with network_of(engine, tight=True, train=["TAU"]) as module:
            before = module(samples())
            with torch.no_grad():
                module.neuron["tau"].fill_(1.5)
            scores[engine] = module(samples())
            assert (scores[engine] - before).abs().max() > 1e-4
            assert "tau=0.0015" in module.network().source.copies()["designer/netlists/mif.cir"]
    torch.testing.assert_close(scores["native"], scores["ngspice"], rtol=1e-3, atol=1e-6)


def test_state_dict_holds_conductances_and_parameters():
    module, other = network_of("native", train=["tau"]), network_of("native", spread=1e-5)
    with torch.no_grad():
        module.neuron["tau"].fill_(1.1)
    assert not torch.equal(module(samples()), other(samples()))
    other.load_state_dict(module.state_dict())
    assert torch.equal(module(samples()), other(samples()))
    trained = [name for name, parameter in module.named_parameters() if parameter.requires_grad]
    assert sorted(trained) == ["neuron.tau", "theta.0", "theta.1"]


def test_the_network_of_an_experiment():
    path = NETLISTS.parent / "experiments" / "digits.toml"
    module = CircuitNetwork.from_experiment(path, ["simulation.engine=native", "network.layers=[64,5,10]"])
    scores = module(torch.rand(3, 64))
    assert (scores.shape, scores.dtype) == ((3, 10), torch.float32)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"train": ["tua"]}, "the neuron has no parameter 'tua'; it has .*tau"),
        ({"g_mim": 1e-6}, "unknown key 'network.g_mim': did you mean 'g_min'"),
        ({"engine": "spectre"}, "simulation.engine: Input should be 'ngspice' or 'native'"),
        ({"readout": "paper"}, "network.readout = 'paper' is a loss along time"),
    ],
)
def test_wrong_requests_are_refused(words, said):
    with pytest.raises(UserError, match=said):
        NeuronLayer(4, 3, MIF, **{"engine": "native", "t_stop": 10e-3, **words})


def test_an_experiment_with_imperfections_is_refused():
    with pytest.raises(UserError, match=r"give the setting imperfections=\{\}"):
        CircuitNetwork.from_experiment(NETLISTS.parent / "experiments" / "digits.toml", ["imperfections.variation=0.1"])


def test_samples_of_another_size_are_refused():
    with pytest.raises(UserError, match=r"samples are \(images, 4\) for this network, found \(2, 5\)"):
        network_of("native")(torch.rand(2, 5))


@pytest.mark.parametrize("engine", ENGINES)
def test_inputs_that_change_in_time(engine):
    """Derivatives by a conductance of each crossbar, and by a sample at one frame."""
    simulation = {"engine": engine, "t_stop": 4e-3, "t_max": 1e-5 if engine == "ngspice" else 5e-4}
    if engine == "ngspice":
        simulation["options"] = TIGHT
    circuit = circuit_of({"layers": (4, 3, 2), **KEYS}, simulation, NETLISTS)
    with CircuitNetwork(circuit, seed=7, workers=1, dtype=torch.float64, frames=6) as module:
        x = torch.rand(2, 6, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()
        loss_of(module(x)).backward()
        assert x.grad.shape == x.shape
        for tensor, place in [(module.theta[0], (0, 1, 2)), (module.theta[1], (1, 2, 0)), (x, (1, 3, 2))]:
            start = tensor[place].item()

            def loss(value: float, tensor=tensor, place=place) -> float:
                with torch.no_grad():
                    tensor[place] = value
                    return loss_of(module(x)).item()

            reference = central_difference(loss, start, 2e-3)
            loss(start)
            assert reference.error < 5e-4 * abs(reference.value)
            assert tensor.grad[place].item() == pytest.approx(reference.value, rel=1e-3)


@pytest.mark.parametrize("engine", ENGINES)
def test_samples_of_another_shape_are_refused(engine):
    simulation = {"engine": engine, "t_stop": 4e-3, "t_max": 5e-4}
    circuit = circuit_of({"layers": (4, 3, 2), **KEYS}, simulation, NETLISTS)
    for frames, shape, wanted in [(0, (2, 6, 4), "4"), (6, (2, 4), "6, 4"), (6, (2, 4, 6), "6, 4"), (0, (4,), "4")]:
        with pytest.raises(UserError, match=rf"samples are \(images, {wanted}\) for this network"):
            CircuitNetwork(circuit, frames=frames)(torch.zeros(shape))
    with pytest.raises(UserError, match="frames = 1: inputs that change in time have 2 or more"):
        CircuitNetwork(circuit, frames=1)
