# SPDX-License-Identifier: GPL-3.0-or-later
"""``.control`` sections: read, judged, and never executed.

ngspice runs what stands in such a section, in included files too, and with it any program of the machine
(``shell``, ``system``). Here nothing of it runs. Analyses, plots and measurements are left out with a note; a command
that touches files or the system, loads native code or changes the circuit is refused by name, because without
it the netlist would not be what its author simulates. So is a command that is not known.

A line may send its output to a file (``>``) and ask the shell (backquotes). A comment that begins with ``*#`` is a
command too.
"""

import re

from spiceprop.netlist.source import LogicalLine

_HARMLESS = """
    ac dc disto fft four meas measure noise op pss psd pz sens sp spec tf tran run resume step stop reset
    asciiplot compose cross define deftype diff display echo iplot let linearize listing plot print rusage setplot
    setscale settype show showmod spec status trace undefine unlet unset version where save delete destroy iplot history
    if else end while foreach repeat dowhile break continue goto label quit exit bye nop setseed strcmp strslice strstr
"""
_REFUSED = {
    "touches files": """
        write wrdata wrs2p wrnodev hardcopy gnuplot eprvcd snsave snload load source cd getcwd fopen fread fclose edit
        dump plainwrite mc_source state check_ifparm
    """,
    "runs programs of the system": "shell system aspice rspice jobs rehash bug help alias unalias",
    "loads native code": "osdi codemodel use pre_osdi pre_codemodel pre_use",
    "changes the circuit": """
        alter altermod alterparam circbyline remcirc setcirc optran option options reset_circuit inventory devhelp
        setcs mdump mrdump cutout
    """,
}
HARMLESS = frozenset(_HARMLESS.split())
REFUSED = {word: reason for reason, words in _REFUSED.items() for word in words.split()}
# `set` of one of these is an option of the simulation
_SETTINGS = frozenset(
    [
        "abstol",
        "bypass",
        "chgtol",
        "cshunt",
        "defad",
        "defas",
        "defl",
        "defw",
        "gmin",
        "gminsteps",
        "gmins",
        "itl1",
        "itl2",
        "itl3",
        "itl4",
        "itl5",
        "itl6",
        "maxord",
        "method",
        "minbreak",
        "noopiter",
        "pivrel",
        "pivtol",
        "ramptime",
        "reltol",
        "rshunt",
        "scale",
        "srcsteps",
        "temp",
        "tnom",
        "trtol",
        "vntol",
        "xmu",
        "interp",
        "klu",
        "sparse",
        "sourcepath",
        "ngbehavior",
    ]
)
_COMMAND = re.compile(r"\s*([^\s=(]*)")
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


def words_of(text: str) -> list[str]:
    """The words of a line, without what stands in quotes."""
    return _QUOTED.sub("", text).split()


def check_command_line(line: LogicalLine, text: str) -> None:
    """Refuse a line of a ``.control`` section that is not harmless.

    Raises
    ------
    UserError: names the command and what it would do.
    """
    if "`" in text:
        raise line.error("a .control section with backquotes runs programs of the system: remove them")
    words = words_of(text)
    if words and not words[0].startswith(("*", "#", "$")):
        _check_command(line, words)


def _check_command(line: LogicalLine, words: list[str]) -> None:
    name = _COMMAND.match(words[0]).group(1).lower()
    reason = REFUSED.get(name) or ("runs programs of the system" if name.startswith("!") else None)
    if name == "set":
        reason = _objection_to_setting(words)
    elif reason is None and name not in HARMLESS:
        raise line.error(f"'{name}' in a .control section is not known: remove the section, it is not executed here")
    elif reason is None and name in ("print", "echo", "listing", "display", "show", "showmod", "rusage"):
        reason = "touches files" if any(word.startswith(">") for word in words) else None
        name += " >" if reason else ""
    if reason:
        raise line.error(
            f"'{name}' in a .control section {reason}: such a netlist is not simulated. Remove the command"
        )


def _objection_to_setting(words: list[str]) -> str | None:
    setting = words[1].partition("=")[0].lower() if len(words) > 1 else ""
    return "changes the circuit" if setting in _SETTINGS else None


def check_special_comment(line: LogicalLine) -> None:
    """Refuse ``*# command`` where the command is one that is refused; any other ``*#`` line is a comment."""
    words = words_of(line.text[2:])
    if words and words[0].lower() in REFUSED:
        _check_command(line, words)
