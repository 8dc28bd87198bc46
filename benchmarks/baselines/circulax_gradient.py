# SPDX-License-Identifier: GPL-3.0-or-later
"""circulax (jax): reverse mode through the transient of a ladder, by all parameters. Prints one object of JSON.

    PYTHON circulax_gradient.py KIND ELEMENTS STEPS [--checkpoints N]

PYTHON is that of an environment with ``circulax.txt`` installed; spiceprop is not needed. The trapezoid rule with even
steps, float64, sparse matrices (`klu`; the default solver cannot be differentiated), and as many checkpoints as steps:
with the number that circulax 0.2.5 chooses itself its gradient is off, silently, by 2 % of the largest p dL/dp, and so
it is with 20: ``PYTHON circulax_gradient.py rc 10 200 --checkpoints 0``, where 0 is its own choice.

``deviation`` is that from circulax's own central differences, of some parameters, relative to the largest p dL/dp.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path

os.environ["JAX_PLATFORMS"] = "cpu"
sys.path.insert(0, str(Path(__file__).parents[1]))

import diffrax
import equinox
import jax
import jax.numpy as jnp
from circulax import compile_circuit
from circulax.components.electronic import Capacitor, Diode, Resistor, VoltageSourceAC
from circulax.solvers import setup_transient
from ladders import HERTZ, T_STOP, TARGET, VOLT, Ladder

THERMAL_VOLTAGE = 0.025864186  # of ngspice at 27 degrees Celsius
MODELS = {"r": Resistor, "c": Capacitor, "d": Diode, "v": VoltageSourceAC, "ground": lambda: 0}
FIELDS = {"r": "R", "c": "C", "d": "Is"}
BUDGET = 5.0  # seconds, for more calls than one


def netlist(ladder: Ladder) -> dict:
    instances = {"GND": {"component": "ground"}, "v1": {"component": "v", "settings": {"V": VOLT, "freq": HERTZ}}}
    ports: dict[int, list[str]] = {-1: ["v1,p2"], 0: ["v1,p1"]}
    for part in ladder.parts():
        name = f"{part.letter}{part.number}"
        fixed = {"n": 1.0, "Vt": THERMAL_VOLTAGE} if part.letter == "d" else {}
        instances[name] = {"component": part.letter, "settings": {FIELDS[part.letter]: part.value, **fixed}}
        for place, node in enumerate(part.nodes, start=1):
            ports.setdefault(node, []).append(f"{name},p{place}")
    connections = {"GND,p1": tuple(ports.pop(-1))}
    connections |= {first: tuple(others) for first, *others in ports.values()}
    return {"instances": instances, "connections": connections, "ports": {"out": f"c{ladder.sections},p1"}}


def with_values(groups: dict, values: dict) -> dict:
    def put(name, group):
        return equinox.tree_at(lambda one: getattr(one.params, FIELDS[name]), group, values[name])

    return {name: put(name, group) if name in values else group for name, group in groups.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind")
    parser.add_argument("elements", type=int)
    parser.add_argument("steps", type=int)
    parser.add_argument("--checkpoints", type=int, help="0 is circulax's own choice; by default as many as steps")
    chosen = parser.parse_args()
    checkpoints = chosen.steps if chosen.checkpoints is None else chosen.checkpoints
    jax.config.update("jax_enable_x64", True)
    ladder, steps = Ladder(chosen.kind, chosen.elements), chosen.steps
    start = time.perf_counter()
    circuit = compile_circuit(netlist(ladder), MODELS, is_complex=False, backend="klu")
    out = circuit.port_map[f"c{ladder.sections},p1"]
    times = jnp.linspace(T_STOP / steps, T_STOP, steps)
    values = {name: getattr(group.params, FIELDS[name]) for name, group in circuit.groups.items() if name in FIELDS}

    def loss(values: dict) -> jax.Array:
        solve = setup_transient(groups=with_values(circuit.groups, values), linear_strategy=circuit.solver)
        solution = solve(
            t0=0.0,
            t1=T_STOP,
            dt0=T_STOP / steps,
            y0=jnp.zeros(circuit.sys_size),
            saveat=diffrax.SaveAt(ts=times),
            max_steps=steps + 10,
            checkpoints=checkpoints or None,
        )
        return jnp.trapezoid((solution.ys[:, out] - TARGET) ** 2, times) / T_STOP

    forward, backward = jax.jit(loss), jax.jit(jax.value_and_grad(loss))
    _, slopes = jax.block_until_ready(backward(values))
    first, seconds = time.perf_counter() - start, []
    while sum(seconds) < BUDGET:
        start = time.perf_counter()
        jax.block_until_ready(backward(values))
        seconds.append(time.perf_counter() - start)
    weighed = {name: slopes[name] * values[name] for name in values}
    largest = max(float(jnp.abs(one).max()) for one in weighed.values())
    away = [
        abs(float(weighed[name][place]) - difference(forward, values, name, place))
        for name in values
        for place in (0, len(values[name]) // 2)
    ]
    said = {"gradient": min(seconds), "compile": first - min(seconds), "deviation": max(away) / largest}
    print(json.dumps(said | {"loss": float(forward(values)), "checkpoints": checkpoints}))


def difference(loss, values: dict, name: str, place: int) -> float:
    """p dL/dp by central differences with two steps, extrapolated."""

    def slope(step: float) -> float:
        up, down = (loss({**values, name: values[name].at[place].multiply(1 + way * step)}).item() for way in (1, -1))
        return (up - down) / (2 * step)

    return (4 * slope(5e-4) - slope(1e-3)) / 3


if __name__ == "__main__":
    main()
