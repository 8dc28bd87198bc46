# SPDX-License-Identifier: GPL-3.0-or-later
"""Experiments: what is refused, and what the message says."""

import pytest
from small_runs import DIGITS

from spiceprop.errors import UserError
from spiceprop.experiment import load_experiment
from spiceprop.network.build import build_network

TEXT = """\
[data]
set = "digits"
validation = 16

[network]  # of two crossbars
layers = [64, 8, 10]
neuron = "cells/mif.cir:MIF"
g_min = 1e-6
g_max = 1e-4
readout_scale = 10

[simulation]
t_stop = 10e-3

[training]
epochs = 2
batch = 16
rate = 0.01
"""


@pytest.fixture
def written(tmp_path):
    """The experiment above with one piece of text replaced, in a file."""

    def write(before: str = "", after: str = ""):
        assert TEXT.count(before) == 1 or not before
        path = tmp_path / "mine.toml"
        path.write_text(TEXT.replace(before, after) if before else TEXT)
        return path

    return write


def refused(path, *settings) -> UserError:
    with pytest.raises(UserError) as caught:
        load_experiment(path, list(settings))
    return caught.value


@pytest.mark.parametrize("path", sorted(DIGITS.parent.glob("*.toml")), ids=lambda path: path.stem)
def test_every_experiment_of_the_project_loads_and_its_neuron_is_there(path):
    experiment = load_experiment(path)
    assert experiment.name == path.stem
    network = build_network(experiment)
    section = experiment.network
    assert network.layers == (section.layers[0], *(part.neurons for part in section.connections()))
    assert len(network.layers) == len(section.layers)


def test_relative_neuron_path_starts_at_the_experiment(written, tmp_path, monkeypatch):
    path = written()
    monkeypatch.chdir("/")
    experiment = load_experiment(path)
    assert experiment.neuron_file == tmp_path / "cells" / "mif.cir"
    assert experiment.neuron_subcircuit == "mif"


@pytest.mark.parametrize(
    ("before", "after", "line", "said"),
    [
        ("epochs = 2", "epoch = 2", 16, "unknown key 'training.epoch': did you mean 'epochs'?"),
        ("batch = 16", "batch = 16\ncolour = 1", 18, "unknown key 'training.colour': known here: rule epochs"),
        ("[training]", "[trainin]", 15, "unknown key 'trainin': did you mean 'training'?"),
        ("validation = 16", 'validation = "many"', 3, "data.validation: Input should be a valid integer"),
        (
            "validation = 16",
            "validation = -1",
            3,
            "data.validation: Input should be greater than or equal to 0, found -1",
        ),
        ("t_stop = 10e-3", "t_stop = -1", 13, "simulation.t_stop: Input should be greater than 0"),
        ("t_stop = 10e-3", "t_stop = inf", 13, "simulation.t_stop: Input should be a finite number, found inf"),
        ("rate = 0.01", "rate = nan", 18, "training.rate: Input should be"),
        ("rate = 0.01", "rate = 0.01\nseed = -1", 19, "training.seed: Input should be greater than or equal to 0"),
        ("rate = 0.01", 'rate = 0.01\nrule = "hebb"', 19, "training.rule: Input should be 'bptt', found 'hebb'"),
        ("rate = 0.01", "rate = 0.01\nlabel_smoothing = 1", 19, "training.label_smoothing: Input should be less"),
        ("rate = 0.01", "rate = 0.01\npulse = 6e-5", None, "training.pulse = 6e-05 is more than half of g_max - g_min"),
        ("rate = 0.01", "rate = 0.01\npulse = 0", 19, "training.pulse: Input should be greater than 0"),
        ("layers = [64, 8, 10]", "layers = [64]", 6, "network.layers: Tuple should have at least 2 items"),
        ("layers = [64, 8, 10]", "layers = [64, 0, 10]", 6, "network.layers: Input should be greater than 0, found 0"),
        ("layers = [64, 8, 10]", "layers = 64", 6, "network.layers: Input should be a valid tuple, found 64"),
        ("g_min = 1e-6", "g_min = 1e-4", 5, "network: g_min = 0.0001 must be below g_max = 0.0001"),
        ("g_min = 1e-6", "g_min = 1e-3", 5, "network: g_min = 0.001 must be below g_max = 0.0001"),
        ("g_min = 1e-6", "spread = [1e-6]", 5, "network: spread needs one value, or one for each of the 2 crossbars"),
        ("g_min = 1e-6", 'spread = "wide"', 8, "network.spread: Input should be"),
        (":MIF", "", 5, 'network: neuron is "FILE.cir:SUBCKT"'),
        ("MIF", "", 5, 'network: neuron is "FILE.cir:SUBCKT"'),
        ("t_stop = 10e-3", "t_stop = 1\noptions = {retol = 1e-6}", 12, "simulation: option 'retol' is not supported"),
        ("rate = 0.01", "", 15, "training.rate: Field required"),
    ],
)
def test_refusal_names_file_line_and_what_is_wrong(written, before, after, line, said):
    path = written(before, after)
    error = refused(path)
    assert said in error.message
    assert (error.file, error.line) == (str(path), line)
    assert "{" not in error.message, "no dump of the whole section"


def test_missing_section_is_named(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(TEXT[: TEXT.index("[training]")])
    assert "training: Field required" in refused(path).message


def test_value_in_place_of_a_section_is_refused(written):
    path = written("[simulation]\nt_stop = 10e-3", "")
    path.write_text("simulation = 5\n" + path.read_text())
    error = refused(path)
    assert "simulation: " in error.message
    assert error.line == 1
    assert "'simulation' is a value" in refused(path, "simulation.t_stop=1").message


def test_text_that_is_no_toml_is_refused_with_its_place(written):
    path = written("batch = 16", "batch = = 16")
    error = refused(path)
    assert error.message.startswith("not a TOML file")
    assert "line 17" in error.message
    path.write_bytes(b"\xff\xfe\x00")
    assert refused(path).message.startswith("not a TOML file")


def test_missing_file_is_refused(tmp_path):
    error = refused(tmp_path / "none.toml")
    assert error.message == "cannot read the experiment: No such file or directory"
    assert error.file == str(tmp_path / "none.toml")


@pytest.mark.parametrize("key", ["name", "folder"])
def test_keys_that_spiceprop_sets_itself_are_refused(written, key):
    path = written()
    path.write_text(f'{key} = "x"\n' + TEXT)
    assert refused(path).message == f"the key '{key}' is set by spiceprop"


def test_settings_take_the_values_of_toml_and_plain_words(written):
    experiment = load_experiment(
        written(),
        [
            "training.epochs=5",
            "network.layers=[64,4,10]",
            "data.set=mnist",
            'network.readout="max"',
            "network.neuron=other.cir:x",
            " simulation.t_max = 1e-4 ",
            "simulation.options.reltol=1e-7",
            "run.workers=3",
            "training.epochs=6",
        ],
    )
    assert experiment.training.epochs == 6, "the last one counts"
    assert experiment.network.layers == (64, 4, 10)
    assert (experiment.data.set, experiment.network.readout) == ("mnist", "max")
    assert experiment.network.neuron == "other.cir:x"
    assert experiment.simulation.t_max == 1e-4
    assert experiment.simulation.all_options()["reltol"] == 1e-7
    assert experiment.simulation.all_options()["vntol"] == 1e-9
    assert experiment.run.workers == 3


@pytest.mark.parametrize("setting", ["epochs=3", "training.epochs", "training.=3", ".epochs=3", "=", ""])
def test_setting_of_another_form_is_refused(written, setting):
    assert refused(written(), setting).message.startswith("--set takes section.key=value, found ")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("training.epochs=no", "--set: training.epochs: Input should be a valid integer"),
        ("training.epoch=3", "--set: unknown key 'training.epoch': did you mean 'epochs'?"),
        ("trainin.epochs=3", "unknown key 'trainin': did you mean 'training'?"),
        ("network.layers=[64, -1]", "--set: network.layers: Input should be greater than 0, found -1"),
        ("training.epochs.first=3", "'epochs' is a value in the experiment and holds no keys"),
    ],
)
def test_wrong_setting_is_named_itself(written, setting, said):
    assert said in refused(written(), setting).message


def test_setting_that_is_at_fault_blames_no_line_of_the_file(written):
    assert refused(written(), "training.epochs=0").line is None
    assert refused(written("rate = 0.01", "rate = 0"), "training.epochs=3").line == 18


def test_a_table_needs_a_layer_behind_the_first(written):
    settings = ["simulation.engine=native", "simulation.scheme=tabulated"]
    assert load_experiment(written(), settings).simulation.scheme == "tabulated"
    with pytest.raises(UserError, match="needs another one behind"):
        load_experiment(written(), [*settings, "network.layers=[64, 10]"])
