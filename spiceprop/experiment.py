# SPDX-License-Identifier: GPL-3.0-or-later
"""An experiment: everything that a run depends on, read from one TOML file and checked before any work starts."""

import tomllib
from difflib import get_close_matches
from operator import eq
from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    Discriminator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Tag,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from spiceprop.engines import TRAINING_OPTIONS
from spiceprop.engines.deck import TOLERANCES
from spiceprop.errors import UserError
from spiceprop.imperfections.section import Imperfections
from spiceprop.network.windows import Connection, connections
from spiceprop.section import Section


class Data(Section):
    """How many images of which set. ``None`` is all there are (train: all that validation leaves)."""

    set: str = "digits"
    train: PositiveInt | None = None
    validation: NonNegativeInt
    test: PositiveInt | None = None
    seed: int = 0


class WindowSection(Section):
    """A layer of neurons that see windows of the picture before; see `network.windows`."""

    channels: PositiveInt
    window: PositiveInt
    stride: PositiveInt = 1


Layer = Annotated[
    Annotated[PositiveInt, Tag("neurons")] | Annotated[WindowSection, Tag("windows")],
    Discriminator(lambda layer: "neurons" if isinstance(layer, int) else "windows"),
]


class NetworkSection(Section):
    """Layers, devices and read-out. Conductances in siemens, voltages in volt.

    With a live ``synapse`` what is trained is its programmed state, between ``x_min`` and ``x_max``; ``spread`` is then
    the standard deviation of the difference of a pair's states.
    """

    layers: Annotated[tuple[Layer, ...], Field(min_length=2)]
    neuron: str
    supplies: dict[str, float] = Field(default_factory=dict)
    output: str | None = None
    crossbar: Literal["reduced", "explicit"] = "reduced"
    coupling: Literal["mirror", "direct"] = "mirror"
    bipolar: Literal["rows", "columns"] = "rows"
    row_resistance: NonNegativeFloat = 0.0
    g_min: PositiveFloat = 1e-6
    g_max: PositiveFloat = 1e-4
    synapse: str | None = None
    synapse_parameters: dict[str, float] = Field(default_factory=dict)
    synapse_supplies: dict[str, float] = Field(default_factory=dict)
    synapse_state: str = "x0"
    x_min: float = 0.0
    x_max: float = 1.0
    v_read: PositiveFloat = 0.2
    i_scale: PositiveFloat | tuple[PositiveFloat, ...] = 1.0
    row_gain: float = 1.0
    row_reference: float = 0.0
    bias: NonNegativeFloat = 0.0
    spread: PositiveFloat | tuple[PositiveFloat, ...] = 1e-5
    pairs: Literal["middle", "low"] = "middle"
    readout: Literal["mean", "max", "paper"] = "mean"
    readout_scale: PositiveFloat

    @model_validator(mode="after")
    def _consistent(self) -> "NetworkSection":
        if self.g_min >= self.g_max:
            raise ValueError(f"g_min = {self.g_min} must be below g_max = {self.g_max}")
        if not all(self.neuron.rpartition(":")):
            raise ValueError('neuron is "FILE.cir:SUBCKT"')
        if not isinstance(self.layers[0], int):
            raise ValueError("layers begins with the number of inputs")
        self.connections()
        for key in ("i_scale", "spread"):
            value = getattr(self, key)
            if isinstance(value, tuple) and len(value) != len(self.layers) - 1:
                raise ValueError(f"{key} needs one value, or one for each of the {len(self.layers) - 1} crossbars")
        return self

    @model_validator(mode="after")
    def _coupled(self) -> "NetworkSection":
        windows = any(not isinstance(layer, int) for layer in self.layers)
        if not self.is_direct:
            for key in ("bipolar", "row_resistance"):
                if key in self.model_fields_set and getattr(self, key) != NetworkSection.model_fields[key].default:
                    raise ValueError(f'{key} needs coupling = "direct": a mirror takes the difference of two columns')
            return self
        if self.pairs == "low":
            raise ValueError('pairs = "low" needs coupling = "mirror": with "direct" each cell moves by itself')
        if set(self.per_crossbar("i_scale")) != {1.0}:
            raise ValueError('i_scale is the ratio of current mirrors, and with coupling = "direct" there are none')
        if self.is_paired and self.row_reference:
            raise ValueError('row_reference has no meaning with bipolar = "columns": a row is driven by a difference')
        if windows and (self.is_paired or self.row_resistance):
            raise ValueError('windows with coupling = "direct" need bipolar = "rows" and row_resistance = 0')
        return self

    @model_validator(mode="after")
    def _living(self) -> "NetworkSection":
        of_synapses = ("synapse_parameters", "synapse_supplies", "synapse_state", "x_min", "x_max")
        if self.synapse is None:
            if given := self._changed(of_synapses):
                raise ValueError(f'{given[0]} needs synapse = "FILE.lib:SUBCKT"')
            return self
        if not all(self.synapse.rpartition(":")):
            raise ValueError('synapse is "FILE.lib:SUBCKT"')
        if not self.is_direct or self.bipolar != "rows" or self.row_resistance:
            raise ValueError('a live synapse needs coupling = "direct", bipolar = "rows" and row_resistance = 0')
        if any(not isinstance(layer, int) for layer in self.layers):
            raise ValueError("layers with windows cannot have live synapses")
        if self.pairs == "low":
            raise ValueError('pairs = "low" is of resistors: the states of live synapses begin about their middle')
        if given := self._changed(("g_min", "g_max")):
            raise ValueError(f"{given[0]} is of resistors: a live synapse is programmed between x_min and x_max")
        if self.x_min >= self.x_max:
            raise ValueError(f"x_min = {self.x_min} must be below x_max = {self.x_max}")
        if "spread" not in self.model_fields_set:
            raise ValueError("spread is needed with a live synapse: of the programmed states of a pair, like 0.2")
        return self

    def _changed(self, keys: tuple[str, ...]) -> list[str]:
        """Those that are not as they are by default; a stored experiment holds all keys."""
        fields = NetworkSection.model_fields
        return [key for key in keys if getattr(self, key) != fields[key].get_default(call_default_factory=True)]

    @property
    def bounds(self) -> tuple[float, float]:
        """Of what is trained."""
        return (self.g_min, self.g_max) if self.synapse is None else (self.x_min, self.x_max)

    @property
    def is_direct(self) -> bool:
        return self.coupling == "direct"

    @property
    def is_paired(self) -> bool:
        return self.is_direct and self.bipolar == "columns"

    def connections(self) -> list[Connection]:
        """One for each layer of neurons."""
        return connections(self.layers[0], self.layers[1:])

    def per_crossbar(self, key: Literal["i_scale", "spread"]) -> tuple[float, ...]:
        value = getattr(self, key)
        return value if isinstance(value, tuple) else (value,) * (len(self.layers) - 1)


# how the native engine steps; tabulated: see `engines.tabulated`
NativeScheme = Literal["trapezoid", "euler", "linear", "tabulated"]


class Simulation(Section):
    """The analysis of one image; times in seconds. Given options replace single ones of the defaults."""

    engine: Literal["ngspice", "native"] = "ngspice"
    t_stop: PositiveFloat
    t_max: PositiveFloat | None = None
    scheme: NativeScheme = "trapezoid"
    compiled: bool = True
    options: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _known_options(self) -> "Simulation":
        # others would change the rule of a step, or the circuit, behind the adjoint's back
        allowed = [*TOLERANCES, "maxord"]
        unknown = [name for name in self.options if name not in allowed]
        if unknown:
            raise ValueError(f"option '{unknown[0]}' is not supported in training; allowed are {' '.join(allowed)}")
        if self.options.get("maxord", 2) not in (1, 2):
            raise ValueError("maxord is 1 (backward Euler) or 2 (trapezoid)")
        if self.options and self.engine == "native":
            raise ValueError("options are ngspice's: the native engine has scheme and t_max")
        if self.scheme != "trapezoid" and self.engine == "ngspice":
            raise ValueError("scheme is the native engine's: ngspice has options = {maxord = 1}")
        return self

    def all_options(self) -> dict[str, float | None]:
        return {**TRAINING_OPTIONS, **self.options}


Schedule = Literal["one-cycle", "linear", "constant"]
OptimiserKind = Literal["adam", "sgd", "muon"]


class Training(Section):
    """``rate`` is per unit of conductance range; ``one-cycle`` rises to it and falls to nearly 0, ``linear`` falls.

    ``wires`` false leaves the resistance of wires out, which takes most of the time of an update.
    ``pulse`` in S is the least change of a cell: what is smaller accumulates. None for any change.
    ``start`` is the folder of a run whose last conductances this one starts from. Without ``motion`` training
    takes live synapses to stay where they are programmed; evaluation does not.
    """

    rule: Literal["bptt"] = "bptt"
    epochs: PositiveInt
    batch: PositiveInt
    optimiser: OptimiserKind = "adam"
    schedule: Schedule = "one-cycle"
    rate: PositiveFloat
    clip: PositiveFloat = 1.0
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    wires: bool = True
    pulse: PositiveFloat | None = None
    start: str | None = None
    motion: bool = True
    seed: Annotated[int, Field(ge=0)] = 0


class DistortionSection(Section):
    """How training images are distorted; see `data.distortion`. Angles in degrees, lengths in pixels."""

    rotation: NonNegativeFloat = 0.0
    scale: Annotated[float, Field(ge=0, lt=1)] = 0.0
    aspect: Annotated[float, Field(ge=0, lt=1)] = 0.0
    shear: NonNegativeFloat = 0.0
    shift: NonNegativeFloat = 0.0
    elastic: NonNegativeFloat = 0.0
    flip: bool = False

    def is_none(self) -> bool:
        return not any(self.model_dump().values())


class Tuning(Section):
    """A further stage of training; what it does not say is as in [training]. ``images`` None is all of them."""

    engine: Literal["ngspice", "native"]
    scheme: NativeScheme = "trapezoid"
    images: PositiveInt | None = None
    epochs: PositiveInt = 1
    batch: PositiveInt
    schedule: Schedule = "linear"
    rate: PositiveFloat
    wires: bool = True
    distorted: bool = False


class Run(Section):
    """``workers`` 0 is one for each core; ``time_limit`` is seconds for one image.

    ``checkpoints`` at most are kept, the one before the first update not counted.
    """

    workers: Annotated[int, Field(ge=0)] = 0
    time_limit: PositiveFloat = 60.0
    save_samples: Annotated[int, Field(ge=0, le=20)] = 5
    checkpoints: Annotated[int, Field(ge=1, le=49)] = 20


class Circuit(Section):
    """What a network is and how it is simulated; ``folder`` is where relative paths start."""

    folder: Path
    network: NetworkSection
    simulation: Simulation

    @property
    def neuron_file(self) -> Path:
        return self.folder / self.network.neuron.rsplit(":", 1)[0]

    @property
    def neuron_subcircuit(self) -> str:
        return self.network.neuron.rsplit(":", 1)[1].lower()

    @property
    def synapse_file(self) -> Path:
        return self.folder / self.network.synapse.rsplit(":", 1)[0]

    @property
    def synapse_subcircuit(self) -> str:
        return self.network.synapse.rsplit(":", 1)[1].lower()


class Experiment(Circuit):
    """One experiment."""

    name: str
    data: Data
    imperfections: Imperfections = Imperfections()
    distortion: DistortionSection = DistortionSection()
    training: Training
    tuning: tuple[Tuning, ...] = ()
    run: Run = Run()

    @model_validator(mode="after")
    def _alone(self) -> "Experiment":
        if self.network.synapse:
            if self.imperfections != Imperfections():
                raise ValueError("imperfections are of resistors: a network of live synapses has none yet")
            if self.training.pulse:
                raise ValueError("training: pulse is of conductances: live synapses are programmed by their state")
        return self

    @model_validator(mode="after")
    def _still(self) -> "Experiment":
        if self.training.motion:
            return self
        if self.network.synapse is None:
            raise ValueError("training: motion is of live synapses, and network.synapse is not set")
        if "ngspice" in {self.simulation.engine, *(section.engine for section in self.tuning)}:
            raise ValueError("training: motion = false needs engine = 'native' in all stages: in ngspice states move")
        return self

    @model_validator(mode="after")
    def _layers_behind_a_table(self) -> "Experiment":
        if (
            "tabulated" in {section.scheme for section in (self.simulation, *self.tuning)}
            and len(self.network.layers) < 3
        ):
            raise ValueError("scheme: 'tabulated' has the first layer in a table, and needs another one behind it")
        return self

    @model_validator(mode="after")
    def _table_of_currents(self) -> "Experiment":
        if self.network.is_direct and "tabulated" in {part.scheme for part in (self.simulation, *self.tuning)}:
            raise ValueError(
                "scheme: 'tabulated' has the first layer in a table of its currents, and with coupling = \"direct\" "
                "each neuron has a load of its own: take 'trapezoid'"
            )
        return self

    @model_validator(mode="after")
    def _wires_of_mirrors(self) -> "Experiment":
        if self.imperfections.wired and self.network.is_direct:
            raise ValueError(
                'imperfections: wires are not supported with coupling = "direct": their network is solved for columns '
                "that are held"
            )
        return self

    @model_validator(mode="after")
    def _places_of_windows(self) -> "Experiment":
        if any(part.windows for part in self.network.connections()):
            for key, on in (("random cells", self.imperfections.random), ("wires", self.imperfections.wired)):
                if on:
                    raise ValueError(
                        f"imperfections: {key} are not supported where a layer has windows, whose places would differ "
                        "while their conductances are trained as one; levels and drift are"
                    )
        return self

    @model_validator(mode="after")
    def _pulses_within_the_range(self) -> "Experiment":
        span, pulse = self.network.g_max - self.network.g_min, self.training.pulse
        if pulse and pulse > span / 2:
            raise ValueError(
                f"training.pulse = {pulse} is more than half of g_max - g_min = {span}: give a smaller one"
            )
        return self


def circuit_of(network: dict, simulation: dict, folder: Path) -> Circuit:
    """The sections [network] and [simulation] from their keys.

    Raises
    ------
    UserError: as `load_experiment`.
    """
    try:
        return Circuit(folder=folder, network=network, simulation=simulation)
    except ValidationError as error:
        raise UserError(_explain(_worst(error))) from error


def load_experiment(path: Path | str, settings: list[str] | None = None) -> Experiment:
    """Read and check an experiment; ``settings`` are ``section.key=value`` in TOML's notation of values.

    Raises
    ------
    UserError: no such file, not TOML, an unknown key (with the nearest one), a value that is not allowed.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        found = tomllib.loads(text)
    except OSError as error:
        raise UserError(f"cannot read the experiment: {error.strerror}", file=str(path)) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"not a TOML file: {error}", file=str(path)) from error
    given = [_apply(found, setting) for setting in settings or []]
    own = {"name", "folder"} & found.keys()
    if own:
        raise UserError(f"the key '{min(own)}' is set by spiceprop", file=str(path))
    try:
        return Experiment(name=path.stem, folder=path.resolve().parent, **found)
    except ValidationError as error:
        worst = _worst(error)
        place = [part for part in worst["loc"] if isinstance(part, str)]
        if worst["type"] != "value_error" and any(all(map(eq, words, place)) for words in given):
            raise UserError(f"--set: {_explain(worst)}") from error
        raise UserError(_explain(worst), file=str(path), line=_line_of(text, place)) from error


def changed(experiment: Experiment, settings: list[str], section: str) -> Experiment:
    """The experiment with other values in one section; ``settings`` as in `load_experiment`.

    Raises
    ------
    UserError: as `load_experiment`; a key of another section.
    """
    found = experiment.model_dump()
    for setting in settings:
        words = _apply(found, setting)
        if words[0] != section:
            raise UserError(f"--set {setting}: what is trained stays as it is; keys of [{section}] may change")
    try:
        return Experiment.model_validate(found)
    except ValidationError as error:
        raise UserError(f"--set: {_explain(_worst(error))}") from error


def _worst(error: ValidationError) -> ErrorDetails:
    """A misspelt key is missing under its right name too, and that is not what to report."""
    return min(error.errors(), key=lambda found: found["type"] != "extra_forbidden")


def _apply(found: dict, setting: str) -> list[str]:
    """Set ``section.key=value`` and return the key's words; a value that is no TOML is taken as a string."""
    place, equals, value = setting.partition("=")
    words = place.strip().split(".")
    try:
        parsed = tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError:
        parsed = value.strip()
    # a section, or tuning, a list of them, may be set as a whole
    if not equals or not all(words) or (len(words) < 2 and not isinstance(parsed, list | dict)):
        raise UserError(f"--set takes section.key=value, found '{setting}'; for example training.epochs=2")
    table = found
    for word in words[:-1]:
        if isinstance(table, list):
            if not word.isdecimal() or int(word) >= len(table):
                raise UserError(f"--set {setting}: there are {len(table)} of these, counted from 0; found '{word}'")
            table = table[int(word)]
        else:
            table = table.setdefault(word, {})
        if not isinstance(table, dict | list):
            raise UserError(f"--set {setting}: '{word}' is a value in the experiment and holds no keys")
    if isinstance(table, list):
        raise UserError(f"--set {setting}: say which of the {len(table)}, as in tuning.0.rate=0.001")
    table[words[-1]] = parsed
    return words


def _explain(first: ErrorDetails) -> str:
    place = [str(part) for part in first["loc"]]
    if first["type"] == "extra_forbidden":
        sections = {name: field.annotation for name, field in Experiment.model_fields.items()} | {"tuning": Tuning}
        model = Experiment if len(place) == 1 else sections[place[0]]
        model = WindowSection if "windows" in place else model
        known = [name for name in model.model_fields if name not in ("name", "folder")]
        near = get_close_matches(place[-1], known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known here: {' '.join(known)}"
        return f"unknown key '{'.'.join(place)}': {hint}"
    found = "" if first["type"] in ("missing", "value_error") else f", found {first['input']!r}"
    key = ".".join(place[:2])  # what follows are places in a list, or pydantic's names of alternatives
    said = f"{first['msg'].removeprefix('Value error, ')}{found if len(found) < 80 else ''}"
    return f"{key}: {said}" if key else said


def _line_of(text: str, place: list[str]) -> int | None:
    """The line of the key at fault: its first mention inside its section, else the section's own."""
    section, head = None, None
    if not place:  # what several sections say together
        return None
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.partition("#")[0].strip()
        if words.startswith("["):
            section = words.strip("[]")
            head = number if section == place[0] else head
        elif words.partition("=")[0].strip() == (place[1] if section == place[0] and place[1:] else place[0]):
            return number
    return head
