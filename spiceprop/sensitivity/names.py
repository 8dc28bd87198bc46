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
        flats, _, wanted = self._split(name.strip().lower()) or ((), "", "")
        if wanted != "pwl":
            return [name]
        roles = [role for flat in flats for role in offered(flat)]
        values = [role for role in roles if role.startswith("pwl.") and role.endswith(".value")]
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

    def _split(self, path: str) -> tuple[list[FlatElement], str, str] | None:
        """The elements that stand for the one that a path begins with, that beginning, and the role behind it."""
        for known in (self.elements, self.flat_names):
            parts = path.split(".")
            for count in range(len(parts), 0, -1):
                *instances, name = parts[:count]
                found = [known.get(".".join([*instances, candidate])) for candidate in _stand_ins(name)]
                if any(found):
                    return [flat for flat in found if flat], ".".join(parts[:count]), ".".join(parts[count:])
        return None

    def _element(self, name: str, path: str) -> Target:
        found = self._split(path)
        if found is None:
            raise self.error(f"there is no element '{name}'; {self._nearby(path)}")
        flats, element, role = found
        flat = next((flat for flat in flats if role in offered(flat)), None)
        if flat is None:
            raise flats[0].element.span.error(_what_it_offers(name, element, flats, role))
        return self._at(name, flat, role, (flat.scope,))

    def _at(self, name: str, flat: FlatElement, role: str, scopes: tuple[Scope, ...]) -> Target:
        values, element = offered(flat), flat.element
        if role not in values:
            raise element.span.error(_what_it_offers(name, flat.prefix + element.name, [flat], role))
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
        flats, _, role = self._split(path) or ((), "", "")
        for flat in flats:
            if not role and "ic" in flat.element.values():
                return self._at(name, flat, "ic", (flat.scope,))
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
        role = ".".join(parts[1:])
        named = {one.name: one for one in known[subcircuit].body.elements}
        elements = [named[one] for one in _stand_ins(parts[0]) if one in named]
        if not elements:
            raise self.error(
                f"'{name}': .subckt {subcircuit} has no element '{parts[0]}'; it has {_listed(list(named))}"
            )
        element = next((one for one in elements if role in one.values()), elements[0])
        flats = [flat for flat in self.circuit.elements if flat.element is element]
        if not flats:
            raise self.error(f"'{name}': the netlist has no instance of .subckt {subcircuit} with a plain {parts[0]}")
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


def _stand_ins(name: str) -> tuple[str, ...]:
    """What an element of the text is called here: what is behavioural is B sources, and may have others beside them."""
    return (f"b{name}_table", f"b{name}", name)


def _what_it_offers(name: str, path: str, flats: list[FlatElement], role: str) -> str:
    names = [f"{path}.{offer}" if offer else path for flat in flats for offer in offered(flat)]
    for flat in flats:
        if isinstance(flat.element, BehaviouralSource):
            found = [parameters_of(value, flat.scope, flat.prefix) for value in flat.element.values().values()]
            names += [one for one in " ".join(found).split() if one != "numbers"]
    missing = f"has no '{role}'" if role else "has no plain value"
    return f"'{name}': {path} {missing}; it offers {_listed(list(dict.fromkeys(names)))}"


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
