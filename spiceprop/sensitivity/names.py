# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gradient is asked by: NAME to the places of the netlist that it means.

``R1`` ``R1.tc1`` ``V1.pulse.v2`` ``x1.xa.c1`` are numbers of an element, ``param:NAME`` and ``param:x1.NAME``
parameters, ``ic:C1`` and ``ic:node`` initial conditions, ``subckt:S.r2`` a number in all instances of a subcircuit.
Names are case-insensitive. Whatever is not there is refused with a list of what is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from spiceprop.circuit.bind import Place
from spiceprop.errors import UserError
from spiceprop.netlist import evaluate
from spiceprop.netlist.expression import Name, Number, walk
from spiceprop.netlist.flat import FlatCircuit, FlatElement, FlatModel
from spiceprop.netlist.scope import Scope
from spiceprop.netlist.tree import BehaviouralSource, Body, Device, IndependentSource, Netlist, Subcircuit, Value

LISTED = 30
TIMES = frozenset({"td", "tr", "tf", "pw", "per", "td1", "td2", "tau1", "tau2", "time", "r"})
"""Arguments of waveforms that are times."""


@dataclass(frozen=True, eq=False)
class Target:
    """What one NAME means.

    Attributes
    ----------
    name: as it was given.
    number: its value in the netlist.
    places: numbers of elements, or the .ic of a node.
    parameter: or a parameter, by its scope and name.
    node: the node whose .ic it is.
    wave: role of a waveform's argument, e.g. ``pulse.td``.
    """

    name: str
    number: float
    places: tuple[Place, ...] = ()
    parameter: tuple[Scope, str] | None = None
    node: str | None = None
    wave: str | None = None

    @property
    def is_time(self) -> bool:
        return self.wave is not None and self.wave.rpartition(".")[2] in TIMES


class Names:
    """Finds targets in one opened circuit."""

    def __init__(self, netlist: Netlist, circuit: FlatCircuit):
        self.netlist, self.circuit = netlist, circuit
        self.elements = {flat.prefix + flat.element.name: flat for flat in circuit.elements}
        self.flat_names = {flat.name: flat for flat in circuit.elements}
        self.scopes = {"": circuit.scope}
        for flat in circuit.elements:
            scope, parts = flat.scope, flat.prefix.split(".")[:-1]
            while parts and scope is not None:
                self.scopes.setdefault(".".join(parts), scope)
                scope, parts = scope.caller, parts[:-1]

    def default(self) -> list[str]:
        """Main values of R C L and sources, and parameters, of the top level; where it has none, of all levels."""
        main = [path for path, flat in self.elements.items() if "" in offered(flat) and flat.element.name[0] != "k"]
        top = [path for path in main if "." not in path] + [f"param:{name}" for name in self.circuit.scope.own]
        return top or main

    def expanded(self, name: str) -> list[str]:
        """``V1.pwl`` as the names of the values of all its points; any other name as it is."""
        found = self._split(name.strip().lower())
        if found is None or found[1] != "pwl":
            return [name]
        values = [role for role in offered(found[0]) if role.startswith("pwl.") and role.endswith(".value")]
        return [f"{name.strip()}{role.removeprefix('pwl')}" for role in values] or [name]

    def find(self, name: str) -> Target:
        """The target of a NAME.

        Raises
        ------
        UserError: with what the element, or the netlist, offers.
        """
        kind, colon, rest = name.strip().lower().partition(":")
        if not colon:
            return self._element(name, kind)
        finders = {"param": self._parameter, "ic": self._initial, "subckt": self._subcircuit, "model": self._model}
        if kind not in finders:
            raise self.error(f"'{name}': '{kind}:' is not known; there are R1, R1.tc1, param: ic: subckt: and model:")
        return finders[kind](name, rest)

    def error(self, message: str) -> UserError:
        return UserError(message, file=self.netlist.sources[0].file)

    def _split(self, path: str) -> tuple[FlatElement, str] | None:
        """The element that a path begins with, and the role behind it."""
        for known in (self.elements, self.flat_names):
            parts = path.split(".")
            for count in range(len(parts), 0, -1):
                *instances, name = parts[:count]
                # what is behavioural in the text is a B source of that name, and may have others beside it
                for candidate in (f"b{name}", name):
                    if flat := known.get(".".join([*instances, candidate])):
                        return flat, ".".join(parts[count:])
        return None

    def _element(self, name: str, path: str) -> Target:
        found = self._split(path)
        if found is None:
            raise self.error(f"there is no element '{name}'; {self._nearby(path)}")
        flat, role = found
        return self._at(name, flat, role, (flat.scope,))

    def _at(self, name: str, flat: FlatElement, role: str, scopes: tuple[Scope, ...]) -> Target:
        values, element = offered(flat), flat.element
        if role not in values:
            raise element.span.error(_what_it_offers(name, flat, role))
        value = values[role]
        wave = role if isinstance(element, IndependentSource) and "." in role else None
        return Target(name, evaluate(value, scopes[0]), tuple((value, scope) for scope in scopes), wave=wave)

    def _nearby(self, path: str) -> str:
        """What there is on the level of the netlist that the path names."""
        prefix = path.rpartition(".")[0]
        while prefix and prefix not in self.scopes:
            prefix = prefix.rpartition(".")[0]
        inside = f"{prefix}." if prefix else ""
        names = [key for key in self.elements if key.startswith(inside) and "." not in key[len(inside) :]]
        deeper = {key[: key.index(".", len(inside))] + "..." for key in self.elements if "." in key[len(inside) :]}
        found = names + sorted(name for name in deeper if name.startswith(inside))
        return f"there are {_listed(found)}"

    def _parameter(self, name: str, path: str) -> Target:
        prefix, _, parameter = path.rpartition(".")
        scope = self.scopes.get(prefix)
        if scope is None:
            known = [key for key in self.scopes if key]
            raise self.error(f"'{name}': there is no instance '{prefix}' with elements; there are {_listed(known)}")
        offers = list(scope.own | scope.overrides)
        if parameter not in offers:
            where = f"instance '{prefix}'" if prefix else "the netlist"
            raise self.error(f"'{name}': {where} has no parameter '{parameter}'; it has {_listed(offers)}")
        expression, where, _ = scope.find(parameter, None)
        return Target(name, evaluate(Value(expression, None), where), parameter=(scope, parameter))

    def _initial(self, name: str, path: str) -> Target:
        found = self._split(path)
        if found and not found[1] and "ic" in found[0].element.values():
            return self._at(name, found[0], "ic", (found[0].scope,))
        if path in self.circuit.initial:
            value, scope = self.circuit.initial[path]
            return Target(name, evaluate(value, scope), ((value, scope),), node=path)
        offers = [f"ic:{key}" for key, flat in self.elements.items() if "ic" in flat.element.values()]
        offers += [f"ic:{node}" for node in self.circuit.initial]
        raise self.error(
            f"'{name}': no ic= of an element and no .ic of a node of that name; there are {_listed(offers)}"
        )

    def _subcircuit(self, name: str, path: str) -> Target:
        known = dict(subcircuits_of(self.netlist.body))
        subcircuit, _, inner = path.partition(".")
        if subcircuit not in known:
            raise self.error(f"'{name}': there is no .subckt '{subcircuit}'; there are {_listed(list(known))}")
        parts = inner.split(".")
        element = next((one for one in known[subcircuit].body.elements if one.name == parts[0]), None)
        if element is None:
            names = [one.name for one in known[subcircuit].body.elements]
            raise self.error(f"'{name}': .subckt {subcircuit} has no element '{parts[0]}'; it has {_listed(names)}")
        flats = [flat for flat in self.circuit.elements if flat.element is element]
        if not flats:
            raise self.error(f"'{name}': the netlist has no instance of .subckt {subcircuit} with a plain {parts[0]}")
        role = ".".join(parts[1:])
        value = offered(flats[0]).get(role)
        if value is not None and not isinstance(value.expression, Number):
            raise value.span.error(
                f"'{name}': the value is an expression, {value.span.text}: ask for "
                f"{parameters_of(value, flats[0].scope, flats[0].prefix)}"
            )
        return self._at(name, flats[0], role, tuple(flat.scope for flat in flats))

    def _model(self, name: str, path: str) -> Target:
        """A value of a ``.model``, in all instances that have one of that name."""
        model, _, parameter = path.rpartition(".")
        used = [flat.model for flat in self.circuit.elements if flat.model]
        flats = [flat for flat in used if model in (flat.name, flat.model.name)]
        if not flats:
            raise self.error(f"'{name}': no element uses a .model '{model}'; there are {_listed(_once(used))}")
        value = flats[0].model.parameters.get(parameter)
        if not isinstance(value, Value):
            offers = [key for key, found in flats[0].model.parameters.items() if isinstance(found, Value)]
            raise flats[0].model.span.error(
                f"'{name}': .model {model} has no '{parameter}' written in it; it has {_listed(offers)}"
            )
        scopes = {id(flat.scope): flat.scope for flat in flats}.values()
        return Target(name, evaluate(value, flats[0].scope), tuple((value, scope) for scope in scopes))


def offered(flat: FlatElement) -> dict[str, Value]:
    """Numbers of an element that a gradient can be asked by; a B source has parameters instead."""
    if isinstance(flat.element, Device):
        passive = flat.element.name[0] in "rcl"
        main = [("", word) for word in flat.element.words if passive and isinstance(word, Value)]
        return dict(main) | flat.element.values()
    hidden = {""} if isinstance(flat.element, BehaviouralSource) else set()
    # a value that stands for the whole statement is none of the text: E with VALUE= has a gain of 1
    values = {role: value for role, value in flat.element.values().items() if value.span is not flat.element.span}
    return {role: value for role, value in values.items() if role not in hidden}


def _what_it_offers(name: str, flat: FlatElement, role: str) -> str:
    path, element = flat.prefix + flat.element.name, flat.element
    names = [f"{path}.{offer}" if offer else path for offer in offered(flat)]
    if isinstance(element, BehaviouralSource):
        names += parameters_of(element.value, flat.scope, flat.prefix).split()
        names = [one for one in names if one != "numbers"]
    missing = f"has no '{role}'" if role else "has no plain value"
    return f"'{name}': {path} {missing}; it offers {_listed(names)}"


def parameters_of(value: Value, within: Scope, prefix: str) -> str:
    """The parameters of an expression as NAMEs; ``prefix`` is that of the scope it is read in."""
    found = []
    for tree in walk(value.expression):
        if isinstance(tree, Name) and tree.name != "time":
            scope, at = within, prefix
            while scope is not None and tree.name not in scope.own | scope.overrides:
                scope, at = scope.caller, ".".join(at.split(".")[:-2]) + ("." if at.count(".") > 1 else "")
            found.append(f"param:{at}{tree.name}")
    return " ".join(dict.fromkeys(found)) or "numbers"


def _once(models: list[FlatModel]) -> list[str]:
    return list(dict.fromkeys(flat.model.name for flat in models))


def subcircuits_of(body: Body) -> Iterator[tuple[str, Subcircuit]]:
    """All definitions in a body and inside each other, with their names."""
    for name, subcircuit in body.subcircuits.items():
        yield name, subcircuit
        yield from subcircuits_of(subcircuit.body)


def _listed(names: list[str]) -> str:
    more = f" ... ({len(names)} in all)" if len(names) > LISTED else ""
    return (" ".join(names[:LISTED]) or "none") + more
