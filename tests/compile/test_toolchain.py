# SPDX-License-Identifier: GPL-3.0-or-later
"""The compiler and the cache of binaries, when something is wrong with either."""

import ctypes
import hashlib
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from spiceprop.compile import toolchain
from spiceprop.compile.toolchain import NotCompiled, binary

SOURCE = 'double answer(void);\n__attribute__((visibility("default"))) double answer(void) { return 42.0; }\n'


@pytest.fixture(autouse=True)
def fresh(monkeypatch, tmp_path):
    """An empty cache and the compiler that is named by the test."""
    monkeypatch.setenv("SPICEPROP_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CC", raising=False)
    toolchain.compiler.cache_clear()
    yield
    toolchain.compiler.cache_clear()


@pytest.fixture
def named(monkeypatch, tmp_path):
    """A compiler that is a shell script, named by $CC."""

    def use(text: str, arguments: str = "") -> Path:
        script = tmp_path / "mycc"
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o755)
        monkeypatch.setenv("CC", f"{script}{arguments}")
        toolchain.compiler.cache_clear()
        return script

    return use


def made() -> Path:
    return binary("an answer", lambda: SOURCE, "test 1")


def answer(library: Path) -> float:
    function = ctypes.CDLL(str(library)).answer
    function.restype = ctypes.c_double
    return function()


def never() -> str:
    raise AssertionError("what lies in the cache is not made again")


def test_a_binary_is_made_once(tmp_path):
    first = made()
    assert (first.parent, answer(first)) == (tmp_path / "cache", 42.0)
    assert binary("an answer", never, "test 1") == first
    assert binary("another", lambda: SOURCE, "test 1") != first
    assert binary("an answer", lambda: SOURCE, "test 2") != first
    assert {path.suffix for path in first.parent.iterdir()} == {".so", ".sha256"}, "nothing else is left behind"


@pytest.mark.parametrize("cc", ["nosuchcompiler", "nosuchcompiler -m64", "cc 'unended", "/"])
def test_a_compiler_that_is_not_there(monkeypatch, cc):
    monkeypatch.setenv("CC", cc)
    with pytest.raises(NotCompiled) as caught:
        made()
    assert cc in str(caught.value)


def test_no_compiler_at_all(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NotCompiled, match="there is no C compiler: install one with"):
        made()


@pytest.mark.parametrize("stream", ["1", "2"])
def test_a_compiler_that_fails_is_quoted(named, stream):
    named(f"echo 'licence expired' >&{stream}; exit 1")
    with pytest.raises(NotCompiled, match="mycc failed: licence expired"):
        made()


def test_a_compiler_that_fails_at_the_code_alone_leaves_nothing_behind(named, tmp_path):
    named('case "$*" in *cell.c*) echo "out of memory" >&2; exit 1;; esac; exec cc "$@"')
    with pytest.raises(NotCompiled, match="failed: out of memory"):
        made()
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_compiler_that_is_a_folder_or_no_program(monkeypatch, tmp_path):
    text = tmp_path / "text"
    text.write_text("no program")
    text.chmod(0o755)
    monkeypatch.setenv("CC", str(text))
    with pytest.raises(NotCompiled, match="does not run"):
        made()


def test_a_compiler_with_arguments(named):
    named('[ "$1" = --through ] || exit 3; shift; exec cc "$@"', " --through")
    assert answer(made()) == 42.0


@pytest.mark.parametrize("damage", ["shortened", "other bytes", "no checksum", "a checksum that is no text", "removed"])
def test_a_damaged_binary_is_made_anew(damage):
    first = made()
    whole, checksum = first.read_bytes(), first.with_suffix(".sha256")
    if damage == "shortened":
        first.write_bytes(whole[: len(whole) // 2])
    if damage == "other bytes":
        first.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    if damage == "no checksum":
        checksum.unlink()
    if damage == "a checksum that is no text":
        checksum.write_bytes(b"\xff" * 32)
    if damage == "removed":
        first.unlink()
    calls = []
    second = binary("an answer", lambda: calls.append(1) or SOURCE, "test 1")
    assert (second, calls) == (first, [1])
    assert checksum.read_text() == hashlib.sha256(first.read_bytes()).hexdigest()
    assert answer(first) == 42.0


@pytest.mark.parametrize("place", ["/proc/self", "/proc/nosuch", "file/below"])
def test_a_cache_that_cannot_be_written_costs_time_alone(monkeypatch, tmp_path, place):
    """Not by its mode: root writes anywhere."""
    (tmp_path / "file").write_text("")
    folder = tmp_path / place
    monkeypatch.setenv("SPICEPROP_CACHE", str(folder))
    library = made()
    assert not library.is_relative_to(folder)
    assert answer(library) == 42.0
    assert made() == library, "this process makes it once"


def test_a_folder_that_others_may_read_becomes_the_users_alone(tmp_path):
    (tmp_path / "cache").mkdir(mode=0o755)
    assert made().parent == tmp_path / "cache"
    assert stat.S_IMODE((tmp_path / "cache").stat().st_mode) == 0o700


def strangers_folder(tmp_path: Path) -> Path:
    """One that belongs to another user: made by root, or root's."""
    if os.getuid() != 0:
        return Path("/usr")
    os.chown(tmp_path / "cache", 12345, -1)
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("trouble", "said"),
    [("a link", "is a link"), ("writable", "written by other users"), ("a stranger's", "belongs to another user")],
)
def test_a_folder_that_others_could_fill_is_not_used(monkeypatch, tmp_path, caplog, trouble, said):
    cache = tmp_path / "cache"
    if trouble == "a link":
        (tmp_path / "elsewhere").mkdir()
        cache.symlink_to(tmp_path / "elsewhere")
    else:
        cache.mkdir()
    if trouble == "writable":
        cache.chmod(0o777)
    if trouble == "a stranger's":
        cache = strangers_folder(tmp_path)
        monkeypatch.setenv("SPICEPROP_CACHE", str(cache))
    before = sorted(cache.iterdir())
    library = made()
    assert library.resolve().parent != cache.resolve()
    assert sorted(cache.iterdir()) == before
    assert answer(library) == 42.0
    assert said in caplog.text


REPORTS = {
    "another version": 'if [ "$1" = --version ]; then echo "othercc 99"; exit; fi; exec cc "$@"',
    "another processor": 'case "$*" in *-E*) echo " -march=other -mwide" >&2;; esac; exec cc "$@"',
}


@pytest.mark.parametrize("report", REPORTS.values(), ids=REPORTS)
def test_another_compiler_or_processor_has_binaries_of_its_own(named, report):
    named('exec cc "$@"')
    first = made()
    named(report)
    assert made() != first


def test_two_processes_at_once(tmp_path):
    program = (
        f"from spiceprop.compile.toolchain import binary; print(binary('an answer', lambda: {SOURCE!r}, 'test 1'))"
    )
    command = [sys.executable, "-c", program]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    found = [process.communicate(timeout=120)[0].strip() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert found[0] == found[1]
    assert answer(Path(found[0])) == 42.0
    assert binary("an answer", never, "test 1") == Path(found[0])


def test_the_default_place(monkeypatch, tmp_path):
    monkeypatch.delenv("SPICEPROP_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert toolchain.cache_folder() == tmp_path / "xdg" / "spiceprop"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert toolchain.cache_folder() == tmp_path / ".cache" / "spiceprop"


def test_the_compiler_is_run_by_the_name_it_was_found_by(monkeypatch, tmp_path):
    """ccache is a program that looks at its own name: what the link points to would be another command."""
    real = shutil.which("cc")
    (tmp_path / "program").write_text(f'#!/bin/sh\ncase "$0" in */mycc) exec {real} "$@";; esac\nexit 3\n')
    (tmp_path / "program").chmod(0o755)
    (tmp_path / "mycc").symlink_to(tmp_path / "program")
    monkeypatch.setenv("CC", str(tmp_path / "mycc"))
    assert answer(made()) == 42.0
