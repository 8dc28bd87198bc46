# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of [network]: layers, the designer's neuron and synapse, how crossbars are coupled to neurons, the read-out.

What its keys say together is checked in three steps: what holds for any network (`_consistent`), what each coupling
allows (`_coupled`: columns end in current mirrors, or are the membranes), and what a live synapse needs (`_living`: a
device whose state moves while it is read, in the place of a resistor). Keys of one kind are refused beside the other,
since they would be without effect.
"""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, NonNegativeFloat, PositiveFloat, PositiveInt, Tag, model_validator

from spiceprop.network.windows import Connection, connections
from spiceprop.section import Section


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
