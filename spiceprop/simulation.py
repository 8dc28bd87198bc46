# SPDX-License-Identifier: GPL-3.0-or-later
"""One transient of a designer's netlist in ngspice, and its waveforms as HDF5, raw file, picture or table."""

import io
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from spiceprop.cluster.isolated import IsolatedSimulator
from spiceprop.engines import Trajectory, Transient, as_with_code_models, deck, options_of, refused, transient_of
from spiceprop.errors import UserError
from spiceprop.netlist import FlatCircuit, Netlist, Note, flatten, read_netlist
from spiceprop.netlist.flat import has_branch
from spiceprop.report.picture import check_picture, picture
from spiceprop.store.atomic import written_beside

TIME_LIMIT = 600.0  # seconds


@dataclass(frozen=True)
class Simulation:
    """A finished transient. ``out`` is where its waveforms went, if anywhere; ``notes`` tell what was left out."""

    trajectory: Trajectory
    seconds: float
    out: Path | None
    notes: list[Note]

    def summary(self) -> dict:
        return {
            "status": str(self.trajectory.status),
            "points": len(self.trajectory.times),
            "seconds": round(self.seconds, 6),
            "out": str(self.out) if self.out else None,
            "message": self.trajectory.message,
            "final": dict(zip(self.trajectory.names, self.trajectory.values[:, -1:].ravel().tolist(), strict=False)),
            "notes": [note.as_dict() for note in self.notes],
        }


def simulate(
    netlist: Netlist, transient: Transient | None = None, simulator: IsolatedSimulator | None = None
) -> Trajectory:
    """Run a netlist's own transient, or the one given, and read what it saves (all, where it saves nothing).

    Who runs many netlists gives a ``simulator`` of their own, whose process stays; otherwise one is started and ended.

    Raises
    ------
    UserError: ngspice refuses the circuit, or the netlist makes none.
    """
    circuit = flatten(netlist)
    transient = transient or as_with_code_models(transient_of(netlist), circuit)
    saves, _ = wanted_vectors(netlist, circuit)
    lines = deck(circuit, transient, saves)
    with nullcontext(simulator) if simulator else IsolatedSimulator(TIME_LIMIT) as one:
        try:
            return one.simulate(lines, saves, transient.t_stop)
        except UserError as error:
            raise refused(error, circuit, netlist.sources[0]) from error


def wanted_vectors(netlist: Netlist, circuit: FlatCircuit) -> tuple[list[str], list[Note]]:
    """What ``.save`` names, and a note for each name that this circuit does not have, which ngspice ignores too.

    Where it names ``all`` or nothing that is there: every node voltage and every current of a branch.
    """
    nodes = dict.fromkeys(node for flat in circuit.elements for node in flat.nodes)
    known = [f"v({node})" for node in nodes if node != "0"]
    known += [f"i({flat.name})" for flat in circuit.elements if has_branch(flat)]
    there = set(known)
    wanted = {name: span for name, span in netlist.saves.items() if name not in ("all", "allv", "alli")}
    found = {name: name if name in there else f"v({name})" for name in wanted}
    notes = [
        Note(f".save names '{name}', which this circuit does not have", span)
        for name, span in wanted.items()
        if found[name] not in there
    ]
    chosen = list(dict.fromkeys(name for name in found.values() if name in there))
    return (chosen if chosen and len(wanted) == len(netlist.saves) else known), notes


def simulate_file(
    path: Path,
    *,
    out: Path | None = None,
    raw: Path | None = None,
    plot: Path | None = None,
    libraries: tuple[Path, ...] = (),
    time_limit: float = TIME_LIMIT,
) -> Simulation:
    """Read, simulate, write what was asked for."""
    netlist = read_netlist(path, libraries)
    if plot:
        check_picture(plot)
    notes = netlist.notes + options_of(netlist)[1] + wanted_vectors(netlist, flatten(netlist))[1]
    start = time.perf_counter()
    with IsolatedSimulator(time_limit) as simulator:
        trajectory = simulate(netlist, simulator=simulator)
    seconds = time.perf_counter() - start
    for target, write in ((out, write_hdf5), (raw, write_raw), (plot, write_plot)):
        if target:
            write(trajectory, target, path.name)
    return Simulation(trajectory, seconds, out or raw or plot, notes)


def unit_of(name: str) -> str:
    return "A" if name.startswith("i(") else "V"


def write_hdf5(trajectory: Trajectory, path: Path, title: str) -> None:
    """``time`` and one dataset a quantity, with units."""
    from spiceprop.store.hdf5 import whole_hdf5

    with whole_hdf5(path) as file:
        file.attrs.update({"netlist": title, "status": str(trajectory.status), "message": trajectory.message})
        file["time"] = trajectory.times
        file["time"].attrs["unit"] = "s"
        for name, values in zip(trajectory.names, trajectory.values, strict=True):
            file[name] = values
            file[name].attrs["unit"] = unit_of(name)


def write_raw(trajectory: Trajectory, path: Path, title: str) -> None:
    """An ngspice binary raw file, which waveform viewers read."""
    kinds = ["voltage" if unit_of(name) == "V" else "current" for name in trajectory.names]
    variables = [("time", "time"), *zip(trajectory.names, kinds, strict=True)]
    header = [
        f"Title: {title}",
        "Plotname: Transient Analysis",
        "Flags: real",
        f"No. Variables: {len(variables)}",
        f"No. Points: {len(trajectory.times)}",
        "Variables:",
        *(f"\t{index}\t{name}\t{kind}" for index, (name, kind) in enumerate(variables)),
        "Binary:\n",
    ]
    table = np.vstack([trajectory.times, trajectory.values]).T if trajectory.values.size else np.zeros((0, 1))
    with written_beside(path) as beside:
        beside.write_bytes("\n".join(header).encode("latin-1") + np.ascontiguousarray(table, "<f8").tobytes())


def write_plot(trajectory: Trajectory, path: Path, title: str) -> None:
    """Voltages over currents, against time."""
    groups = [unit for unit in "VA" if any(unit_of(name) == unit for name in trajectory.names)]
    with picture(path, rows=len(groups), size=(8, 3 * len(groups) + 1), sharex=True) as axes:
        for unit, axis in zip(groups, axes[:, 0], strict=True):
            for name, values in zip(trajectory.names, trajectory.values, strict=True):
                if unit_of(name) == unit:
                    axis.plot(trajectory.times * 1e3, values, label=name)
            axis.set_ylabel(unit)
            axis.legend(loc="upper right", fontsize="small")
            axis.grid(alpha=0.3)
        axes[-1, 0].set_xlabel("time (ms)")
        axes[0, 0].set_title(title)


def final_values(done: Simulation) -> str:
    """A table for people."""
    trajectory = done.trajectory
    notes = "".join(f"note: {note}\n" for note in done.notes)
    if not trajectory.ok:
        return f"{notes}{trajectory.status}: {trajectory.message}"
    table = Table(title=f"{len(trajectory.times)} points in {done.seconds:.3f} s, t = {trajectory.times[-1]:g} s")
    for head in ("quantity", "final value", "unit"):
        table.add_column(head, justify="right" if head == "final value" else "left")
    for name, values in zip(trajectory.names, trajectory.values, strict=True):
        table.add_row(name, f"{values[-1]:.9g}", unit_of(name))
    stream = io.StringIO()
    Console(file=stream, width=90).print(table)
    return notes + stream.getvalue().rstrip()
