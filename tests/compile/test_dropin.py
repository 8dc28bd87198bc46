# SPDX-License-Identifier: GPL-3.0-or-later
"""``spiceprop compile``: decks in plain ngspice, once with the designer's file and once with the compiled one."""

import json
import os
import re
import time
from pathlib import Path

import numpy as np
import pytest
from plain_ngspice import newest_ngspice, read_plots, run_ngspice

from spiceprop.compile.dropin import compile_file
from spiceprop.errors import UserError
from spiceprop.netlist import flatten, print_circuit, read_netlist

ROOT = Path(__file__).parents[2]
TIGHT = ".options reltol=1e-6 vntol=1e-9 abstol=1e-15 chgtol=1e-14 trtol=7000\n"

Plots = list[tuple[str, dict[str, np.ndarray]]]


def in_ngspice(folder: Path, deck: str) -> tuple[Plots, str]:
    """The analyses of a deck in ``ngspice -b``, and what it printed."""
    (folder / "deck.cir").write_text(deck, "latin-1")
    raw = folder / "deck.raw"
    raw.unlink(missing_ok=True)
    options = [] if ".control" in deck else ["-r", raw.name]
    said = run_ngspice(folder / "deck.cir", *options, library=newest_ngspice())
    assert raw.exists() or ".control" in deck, said
    return list(read_plots(raw)) if raw.exists() else [], said


class Bench:
    """A designer's file and what is compiled of it."""

    def __init__(self, folder: Path, text: str):
        self.folder, self.original = folder, folder / "designers.inc"
        self.original.write_text(text)

    def compile(self, name: str):
        return compile_file(self.original, name, self.folder / "made", ())

    def both(self, name: str, deck: str) -> tuple[tuple[Plots, str], tuple[Plots, str]]:
        """What ngspice makes of a deck that holds INCLUDE, with either file."""
        made = self.compile(name)
        files = [".include designers.inc", f".include {made.include}"]
        before, after = (in_ngspice(self.folder, deck.replace("INCLUDE", file)) for file in files)
        return before, after


@pytest.fixture
def bench(tmp_path):
    return lambda text: Bench(tmp_path, text)


def as_before(vector: str) -> str:
    """The name that the current of a B source of a voltage has where it is not inside a device."""
    found = re.fullmatch(r"v\(n\.(.+)\.n1#(?:b\.)?(.+)_1\)", vector)
    return f"i(b.{found[1]}.{found[2]})" if found else vector


def assert_same(before: Plots, after: Plots, tolerance: float = 1e-9) -> None:
    """The same analyses, vectors and points, within ``tolerance`` (V, A) or of each vector's size."""
    assert [name for name, _ in before] == [name for name, _ in after]
    assert before
    for (_, old), (_, new) in zip(before, after, strict=True):
        new = {as_before(name): values for name, values in new.items() if "spiceprop_" not in name}
        assert old.keys() == new.keys()
        for name, values in old.items():
            assert values.shape == new[name].shape, name
            size = max(1.0, abs(values).max())
            assert abs(values - new[name]).max() <= tolerance * size, name


MIF = (ROOT / "netlists/mif.cir").read_text()
FIRING = (ROOT / "netlists/mif_firing.cir").read_text()
SWITCH = (ROOT / "models/metastable_switch.lib").read_text()


def definition(text: str) -> str:
    """The ``.subckt`` of a netlist that has a test bench around it."""
    return re.search(r"^\.subckt.*?^\.ends[^\n]*\n", text, re.M | re.S).group()


NEURONS = {
    "mif": (
        "* neuron\n" + definition(MIF) + SWITCH,
        "mif",
        "* deck\nINCLUDE\nI1 0 a DC 5u\nX1 a mif\nI2 0 b PULSE(0 9u 1m 1u 1u 3m 5m)\nX2 b mif von=0.1 x0=0.1 ron=2k\n"
        ".tran 0.1m 10m uic\n",
    ),
    "mif_firing": (
        "* neuron\n" + definition(FIRING) + SWITCH,
        "mif_firing",
        "* deck\nINCLUDE\nI1 0 a DC 50u\nX1 a mif_firing\n.tran 50u 20m uic\n",
    ),
    "van der Pol, an inductor beside the device": (
        "* neuron\n.subckt vdp x mu=1.5\nL1 x 0 1 ic=0\nC1 x 0 1 ic=0.5\nB1 0 x I=mu*(v(x)-v(x)^2*v(x)/3)\n.ends\n",
        "vdp",
        "* deck\nINCLUDE\nX1 a vdp\nX2 b vdp mu=1\n.tran 0.2 30 0 0.1 uic\n",
    ),
    "FitzHugh-Nagumo, parameters of the file": (
        "* neuron\n.param a=0.7 b=0.8\n.subckt fhn v eps=0.08 i0={a-0.2}\nCv v 0 1 ic=-1\n"
        "Bv 0 v I={i0}+v(v)-v(v)*v(v)*v(v)/3-v(w)\nCw w 0 1 ic=1\nBw 0 w I={eps}*(v(v)+{a}-{b}*v(w))\n.ends\n",
        "fhn",
        "* deck\nINCLUDE\nX1 a fhn\n.tran 0.5 100 0 0.5 uic\n",
    ),
    "Izhikevich": (
        "* neuron\n.subckt izh v a=20 b=0.2 c=-65 d=8\nCv v 0 1m ic=-65\n"
        "Bv 0 v I=0.04*v(v)^2+5*v(v)+140-v(u)+10-v(s)*2*(v(v)-c)\nCu u 0 1 ic=-13\n"
        "Bu 0 u I=a*(b*v(v)-v(u))+v(s)*d*100\nCs s 0 50u ic=0\nBs 0 s I=(1/(1+exp(-(v(v)-20)*0.5))*200-v(s))\n.ends\n",
        "izh",
        "* deck\nINCLUDE\nX1 a izh\nX2 b izh d=6\n.tran 0.2m 100m 0 0.2m uic\n",
    ),
    "Morris-Lecar, functions and .ic": (
        "* neuron\n.subckt morris v PARAMS: gca=4.4m gk=8m gl=2m c=20u v0=-60\n"
        ".func minf(x) {0.5*(1+tanh((x+1.2)/18))}\n"
        ".func winf(x) {0.5*(1+tanh((x-2)/30))}\nC1 v 0 {c}\n"
        "B1 v 0 I={gca}*minf(v(v))*(v(v)-120)+{gk}*v(w)*(v(v)+84)+{gl}*(v(v)+60)\nC2 w 0 1\n"
        "B2 0 w I=40*(winf(v(v))-v(w))*cosh((v(v)-2)/60)\n.ic v(v)={v0} v(w)=0.015\n.ends\n",
        "morris",
        "* deck\nINCLUDE\nX1 mem morris v0=-50\nI1 0 mem DC 100m\n.tran 0.5m 0.3 uic\n",
    ),
    "pwl() in the device and beside it": (
        "* neuron\n.subckt curve v k=0.5 top={2*k}\nC1 v 0 1u ic=0.1\nR1 v 0 1k\n"
        "B1 0 v I=pwl(v(v),-1,0.2m,0,0.3m,{k},-0.2m,1,{-top/3k})\n"
        "B2 v 0 I=pwl(v(v)-100*time,-1,0,0.2,{k/1k},1,{k^2*1m})\n.ends\n",
        "curve",
        "* deck\nINCLUDE\nX1 a curve\nX2 b curve k=0.7 top=2\nR1 a b 5k\n.tran 20u 5m uic\n",
    ),
    "a memristor with thresholds, ternary": (
        "* neuron\n.subckt mem in out von=0.4 rate=2k\nRm in out R='1k+9k*(1-v(x))'\nCx x 0 1 ic=0.05\n"
        "Bx 0 x I=rate*(v(in,out)>von ? (v(in,out)-von)*(1-v(x)) : v(in,out)<-von ? (v(in,out)+von)*v(x) : 0)\n.ends\n",
        "mem",
        "* deck\nINCLUDE\nV1 in 0 PWL(0 0 10m 1 30m -1 40m 0)\nX1 in mid mem\nR1 mid 0 1k\n.tran 0.2m 40m uic\n",
    ),
    "a memristor of linear drift, currents in B sources": (
        "* neuron\n.subckt memristor p n ron=100 roff=16k x0=0.1 mu=3e4 w=1\nCsv x 0 1 ic={x0}\n"
        "Bsv 0 x I=mu*i(Vsense)*(1-pow(2*v(x)-1,2*w))\nRsv x 0 1G\nVsense p pin 0\n"
        "Bmem pin n V=i(Vsense)*(ron*v(x)+roff*(1-v(x)))\n.ends memristor\n.subckt pair a b x0=0.2\n"
        "X1 a c memristor x0={x0}\nX2 c b memristor ron=200 x0=0.4\nBs c 0 I=v(a)*1u\n.ends\n",
        "pair",
        "* deck\nINCLUDE\nV1 in 0 SIN(0 1 10)\nX1 in 0 pair x0=0.3\nX2 in m pair\nRm m 0 1k\n.tran 1m 0.2 uic\n",
    ),
    "instances in instances, everything beside the device": (
        "* neuron\n.model dm d(is=1f)\n.param isat=2f\n"
        ".subckt inner p q g=1m p0=2\n.model dl d(is={isat*p0})\nD1 p y dl\nV1 y z {p0/10}\nR1 z q {1/g} tc1=1m\n"
        "B1 p q I=pow(p0,2)*g*tanh(v(p,y))\nE1 e 0 p y 0.5\nRe e q 1k\nF1 q 0 V1 0.1\nH1 h 0 V1 10\n"
        "Rh h 0 1k\nB2 h2 0 V=(p0^2)*v(h)\nRh2 h2 0 1k\n.ends\n"
        ".subckt middle a b k=1\nX1 a c inner g={k*1m} p0={k+1}\nX2 c b inner p0={k/2}\nL1 c d 1m\nL2 d 0 2m\n"
        "K1 L1 L2 0.5\nRd d 0 1k\n.ends\n"
        ".subckt cell in gain=2\nX1 in out middle k={gain}\nX2 out 0 middle\nC1 in out 1n\nD1 in 0 dm\n"
        "G1 0 out in 0 1m\nI1 0 out 1u\nV1 s 0 SIN(0 {gain/10} 1k)\nRs s out 1k\n.ends\n",
        "cell",
        "* deck\nINCLUDE\nVin a 0 SIN(0 1 1k)\nR1 a b 100\nX1 b cell\nX2 b cell gain=1.5\n.tran 10u 2m\n",
    ),
    "what cannot be compiled stays": (
        "* neuron\n.subckt s a k=2\nV1 a b 0\nB1 b 0 I=k*i(V1)*0.1+v(b)*1m\nB2 b 0 I=1m*sin(6283*time)*k\n"
        "B3 b 0 I=1u*temper*v(b)\nB4 b 0 I=k*1m*v(b)^2\nB5 c 0 V=k*v(b)\nB7 c 0 I=i(L1)*0.1\nL1 c 0 1\n"
        "B6 d 0 V=v(b)\nF6 c 0 B6 2\nRd d 0 1k\n"
        "C1 b c 100n\nR1 c 0 1k\n.ends\n",
        "s",
        "* deck\nINCLUDE\nVin a 0 PULSE(0 1 0.1m 0.1m 0.1m 1m 2m)\nX1 a s\n.options temp=50\n.tran 10u 2m\n",
    ),
    "a switch, a global node and names with a dot": (
        "* neuron\n.global vdd\n.subckt s a.1 vt=0.5\nS1 a.1 n.2 a.1 0 sm\n.model sm sw(vt={vt} vh=0.1)\nR1 n.2 0 1k\n"
        "B1 vdd a.1 I=1m*v(vdd,n.2)\n.ends\n",
        "s",
        "* deck\nINCLUDE\nV1 vdd 0 1\nI1 0 a SIN(0 1m 1k)\nX1 a s\nC1 a 0 1u\n.tran 10u 2m\n",
    ),
}


@pytest.mark.parametrize(("text", "name", "deck"), NEURONS.values(), ids=NEURONS)
def test_the_compiled_subcircuit_is_the_designers(bench, text, name, deck):
    (before, _), (after, _) = bench(text).both(name, deck + TIGHT + ".end\n")
    assert_same(before, after)


DECKS = ["behavioural_c:var", "behavioural_r:var", "global_nodes:stage", "hopfield:neuron", "memristor_drift:memristor"]
DECKS += ["morris_lecar:morris", "opamp_macromodel:opamp"]


@pytest.mark.parametrize("place", DECKS)
def test_the_decks_of_this_project_with_one_definition_compiled(tmp_path, place):
    name, subcircuit = place.split(":")
    deck = ROOT / "tests/decks" / f"{name}.cir"
    span = (definition := read_netlist(deck).body.subcircuits[subcircuit]).span
    made = compile_file(deck, subcircuit, tmp_path / "made", ())
    text = deck.read_text()
    title, _, rest = (text[: span.start] + text[definition.end :]).partition("\n")
    before, _ = in_ngspice(tmp_path, text)
    after, _ = in_ngspice(tmp_path, f"{title}\n.include {made.include}\n{rest}")
    assert_same(before, after, 1e-6)  # at the decks' own tolerances


@pytest.mark.parametrize("analysis", [".op", ".ac dec 5 1 1meg", ".dc vin -1 1 0.1", ".tran 1u 1m", ".tran 1u 1m uic"])
@pytest.mark.parametrize("start", ["", ".ic v(x1.y)=0.3", ".nodeset v(x1.y)=0.3"])
@pytest.mark.parametrize("own", ["", ".ic v(y)=0.25\n", ".nodeset v(y)=0.25\n"])
def test_every_analysis_and_start(bench, analysis, start, own):
    text = (
        "* neuron\n.subckt s a c=1u g=1m\nC1 a 0 {c} ic=0.2\nC2 y 0 {c} ic=0.1\nC3 y a {c/2} ic=0.5\nR1 a y 1k\n"
        "B1 y 0 I=g*tanh(v(y))*(1+v(a)^2)\n.ends\n"
    )
    deck = (
        f"* deck\nINCLUDE\nVin in 0 DC 0.4 AC 1\nRin in a 1k\nX1 a s\nX2 a s g=2m\n{start}\n{analysis}\n{TIGHT}.end\n"
    )
    (before, _), (after, _) = bench(text).both("s", deck)
    assert_same(before, after)


@pytest.mark.parametrize("m", ["", "m=3", "m={1+1}", "g=2m m=0.5"])
def test_the_multiplier_of_an_instance_is_ngspices(bench, m):
    """ngspice multiplies what stands directly inside, B sources too, and nothing in inner instances."""
    text = (
        "* neuron\n.subckt s a g=1m\nB1 a 0 I=g*v(a)^2\nR1 a b 1k\nX1 b t\n.ends\n"
        ".subckt t b q=1\nB1 b 0 I=q*1m*v(b)^2\nR1 b 0 2k\n.ends\n"
    )
    deck = f"* deck\nINCLUDE\nV1 a 0 0.7\nX1 a s {m}\n.op\n.end\n"
    (before, _), (after, _) = bench(text).both("s", deck)
    assert_same(before, after)


def test_a_parameter_called_m_multiplies_nothing_by_itself(bench):
    text = "* neuron\n.subckt s a m=2 temp=3\nB1 a 0 I=1m*v(a)*m*temp\nR1 a 0 1k\n.ends\n"
    (before, _), (after, _) = bench(text).both("s", "* deck\nINCLUDE\nV1 a 0 1\nX1 a s m=5 temp=2\n.op\n.end\n")
    assert_same(before, after)
    assert before[0][1]["i(v1)"] == pytest.approx(-11e-3)


def printed(text: str) -> list[float]:
    return [float(value) for value in re.findall(r"^\S+ = (\S+)$", text, re.M)]


def test_a_parameter_is_altered_without_a_new_compilation(bench):
    """ngspice cannot alter a B source's parameters: there the deck has them from the start."""
    files = bench("* neuron\n.subckt s a g=1m x0=1\nB1 a 0 I=g*v(a)*x0\nR1 a 0 1k\nC1 a 0 1n\n.ends\n")
    control = (
        ".control\nset numdgt=12\nop\nprint i(v1)\nalter @n.x1.n1[g]=5m\nalter r.x1.r1=500\nop\nprint i(v1)\n.endc\n"
    )
    made = files.compile("s")
    _, after = in_ngspice(files.folder, f"* deck\n.include {made.include}\nV1 a 0 1\nX1 a s\n{control}.end\n")
    assert printed(after) == pytest.approx([-2e-3, -7e-3], rel=1e-9)


def test_two_includes_in_one_deck(bench, tmp_path):
    mif, firing = ("* neuron\n" + definition(text) + SWITCH for text in (MIF, FIRING))
    rest = "I1 0 a 5u\nX1 a mif\nI2 0 b 50u\nX2 b mif_firing\n.tran 50u 5m uic\n" + TIGHT + ".end\n"
    (tmp_path / "other.inc").write_text(firing)
    made = (
        bench(mif).compile("mif"),
        compile_file(tmp_path / "other.inc", "mif_firing", tmp_path / "zwei geöffnet ☃", ()),
    )
    names = "\n".join(f".include '{os.fsencode(done.include).decode('latin-1')}'" for done in made)
    (tmp_path / "plain.inc").write_text(definition(MIF) + definition(FIRING) + SWITCH)
    before, _ = in_ngspice(tmp_path, f"* deck\n.include plain.inc\n{rest}")
    after, _ = in_ngspice(tmp_path, f"* deck\n{names}\n{rest}")
    assert_same(before, after)


def test_the_decks_own_commands_run_whatever_comes_first(bench):
    files = bench("* neuron\n" + definition(MIF) + SWITCH)
    control = (
        ".control\nset numdgt=12\nrun\nprint v(a)[length(time)-1] length(time)\necho threads = $num_threads\n.endc\n"
    )
    rest = f"I1 0 a 5u\nX1 a mif\n.tran 0.1m 10m uic\n{TIGHT}"
    (_, before), (_, after) = files.both("mif", f"* deck\n{control}INCLUDE\n{rest}.end\n")
    assert printed(after)[:2] == pytest.approx(printed(before)[:2], abs=1e-9)
    assert "threads = 1" in after


def test_one_run_of_a_hundred_neurons_is_faster(bench):
    lines = [f"I{n} 0 a{n} {5 + n / 100}u\nX{n} a{n} mif" for n in range(100)]
    deck = "* deck\nINCLUDE\n" + "\n".join(lines) + f"\n.save v(a0)\n.tran 0.1m 10m uic\n{TIGHT}.end\n"
    files = bench("* neuron\n" + definition(MIF) + SWITCH)
    made, seconds, found = files.compile("mif"), [], []
    for file in (".include designers.inc", f".include {made.include}"):
        begin = time.perf_counter()
        found.append(in_ngspice(files.folder, deck.replace("INCLUDE", file))[0])
        seconds.append(time.perf_counter() - begin)
    print("100 neurons, ngspice's start included: {:.3f} s with B sources, {:.3f} s compiled".format(*seconds))
    assert_same(*found)


def test_spiceprop_reads_the_original_in_its_place(bench, tmp_path):
    files = bench(NEURONS["FitzHugh-Nagumo, parameters of the file"][0])
    made = files.compile("fhn")
    deck = "* deck\n{}\nX1 a fhn eps=0.1\n.param a=5\n.tran 1 2 uic\n.end\n"
    texts = [deck.format(f".include {file}") for file in ("designers.inc", made.include.relative_to(tmp_path))]
    (tmp_path / "before.cir").write_text(texts[0].replace(".param a=5\n", ""))
    (tmp_path / "after.cir").write_text(texts[1])
    before, after = (print_circuit(flatten(read_netlist(tmp_path / f"{name}.cir"))) for name in ("before", "after"))
    assert after == before


def test_the_original_may_be_a_netlist_with_a_test_bench(tmp_path):
    """Its sources, its .tran and its options stay behind."""
    for folder in ("netlists", "models"):
        (tmp_path / folder).mkdir()
    (tmp_path / "netlists/mif.cir").write_text(MIF)
    (tmp_path / "models/metastable_switch.lib").write_text(SWITCH)
    made = compile_file(tmp_path / "netlists/mif.cir", "mif", tmp_path / "netlists/made", ())
    deck = f"* deck\n.include {made.include}\nI1 0 a 1u\nX1 a mif tau=2m\n.tran 1u 1m uic\n.end\n"
    (tmp_path / "netlists/n.cir").write_text(deck)
    (tmp_path / "netlists/plain.cir").write_text(deck.replace(str(made.include), "plain.inc"))
    (tmp_path / "netlists/plain.inc").write_text(definition(MIF) + SWITCH)
    found, plain = (read_netlist(tmp_path / "netlists" / name) for name in ("n.cir", "plain.cir"))
    assert print_circuit(flatten(found)) == print_circuit(flatten(plain))
    assert not found.options


def test_nothing_of_a_compiled_file_is_executed_or_believed(bench, tmp_path):
    made = bench(NEURONS["FitzHugh-Nagumo, parameters of the file"][0]).compile("fhn")
    with made.include.open("a") as file:
        file.write(".control\nshell touch executed\n.endc\nR1 evil 0 1\n")
    (tmp_path / "n.cir").write_text("* deck\n.include made/fhn.inc\nX1 a fhn\n.tran 1 2 uic\n.end\n")
    assert not [line for line in print_circuit(flatten(read_netlist(tmp_path / "n.cir"))) if "evil" in line]
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize("change", ["removed", "another name", "elsewhere"])
def test_without_the_original_the_include_is_refused_with_its_line(bench, tmp_path, tmp_path_factory, change):
    files = bench(NEURONS["FitzHugh-Nagumo, parameters of the file"][0])
    made = files.compile("fhn")
    folder = tmp_path_factory.mktemp("elsewhere") if change == "elsewhere" else tmp_path
    (folder / "made").mkdir(exist_ok=True)
    (folder / "made/fhn.inc").write_bytes(made.include.read_bytes())
    (folder / "n.cir").write_text("* deck\nX1 a fhn\n.include made/fhn.inc\n.tran 1 2 uic\n.end\n")
    if change == "removed":
        files.original.unlink()
    if change == "another name":
        files.original.write_text("* neuron\n.subckt other a\nR1 a 0 1\n.ends\n")
    with pytest.raises(UserError, match=r"fhn|no such file") as caught:
        read_netlist(folder / "n.cir")
    assert (Path(caught.value.file).name, caught.value.line) == ("n.cir", 3)


REFUSED = {
    "no B source": (".subckt s a\nR1 a 0 1k\n.ends\n", 2, "it has no B source"),
    "only a source whose current is used": (
        ".subckt s a\nB1 a 0 V=1\nF1 a 0 B1 2\n.ends\n",
        2,
        "b1 stays a B source: another element uses its current",
    ),
    "an unknown subcircuit": (".subckt other a\nR1 a 0 1k\n.ends\n", None, "no .subckt 's' here; found: other"),
    ".if of a parameter": (
        ".subckt s a k=1\n.if (k>0)\nB1 a 0 I=v(a)\n.else\nR1 a 0 1\n.endif\n.ends\n",
        3,
        ".if of 'k', which instances may set",
    ),
    "temper in a parameter": (
        ".subckt s a k={temper/300}\nB1 a 0 I=v(a)\nR1 a 0 {k}\n.ends\n",
        2,
        "a parameter that uses temper",
    ),
}


@pytest.mark.parametrize(("text", "line", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_compiled_is_refused_with_its_line(bench, text, line, message):
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        bench("* neuron\n" + text).compile("s")
    assert caught.value.line == line


def test_notes_say_what_stays_and_what_became_a_number(bench):
    text = (
        NEURONS["what cannot be compiled stays"][0]
        .replace(".subckt", ".param q=1m\n.subckt", 1)
        .replace("I=k*1m", "I=k*q")
    )
    made = bench(text).compile("s")
    assert (made.compiled, made.kept) == (["b1", "b4", "b5"], ["b2", "b3", "b7", "b6"])
    assert [note.span.line for note in made.notes] == [6, 7, 10, 12, 8, 9]
    messages = "\n".join(note.message for note in made.notes)
    for expected in (
        "uses the current i(L1)",
        "uses time",
        "uses temper",
        "another element uses its current",
        "the current of b5 is now n.NAME.n1#b5_1",
        "'q' of the netlist has become",
    ):
        assert expected in messages


def test_the_designers_file_is_not_overwritten(bench, tmp_path):
    files = bench(NEURONS["mif"][0])
    (tmp_path / "mif.inc").write_text(files.original.read_text())
    with pytest.raises(UserError, match="would be overwritten"):
        compile_file(tmp_path / "mif.inc", "mif", tmp_path, ())


def test_the_command(call, tmp_path):
    status, out, _ = call("compile", f"{ROOT / 'netlists/mif.cir'}:mif", "--out", tmp_path, "--json")
    found = json.loads(out)
    assert (status, len(found["compiled"]), found["kept"], found["notes"]) == (0, 6, [], [])
    assert Path(found["include"]).read_text().startswith("* compiled by spiceprop: .subckt mif of /")
    assert Path(found["library"]).is_file()
    status, out, _ = call("compile", ROOT / "netlists/mif.cir", "--out", tmp_path, "--json")
    assert status == 2
    assert "names no subcircuit" in json.loads(out)["error"]["message"]


def test_without_a_compiler_the_work_fails_and_nothing_is_written(call, tmp_path, monkeypatch):
    from spiceprop.compile import toolchain

    monkeypatch.setenv("CC", "nosuchcompiler")
    toolchain.compiler.cache_clear()
    try:
        status, out, _ = call("compile", f"{ROOT / 'netlists/mif.cir'}:mif", "--out", tmp_path / "made", "--json")
    finally:
        monkeypatch.undo()
        toolchain.compiler.cache_clear()
    assert (status, (tmp_path / "made").exists()) == (1, False)
    assert "nosuchcompiler" in json.loads(out)["error"]["message"]
