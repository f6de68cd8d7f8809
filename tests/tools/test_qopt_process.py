"""`qopt` as a process: start-up, pipes, signals, standard streams."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
COMMAND = [
    sys.executable,
    "-c",
    "import sys; from tools.qopt import main; sys.exit(main())",
]

MODULE = b"""\
func.func @main(%x: tensor<1x4xf32>) -> tensor<1x4x!qnn.bipolar> {
  %q = qnn.sign %x : tensor<1x4xf32> -> tensor<1x4x!qnn.bipolar>
  func.return %q : tensor<1x4x!qnn.bipolar>
}
"""

# A pass that says that it runs, and does not end.
SLOW_PLUGIN = """\
import time
from dataclasses import dataclass
from pathlib import Path
from xdsl.passes import ModulePass

@dataclass(frozen=True)
class SlowPass(ModulePass):
    name = "slow"
    def apply(self, ctx, op):
        Path("started").touch()
        time.sleep(30)

PASSES = (SlowPass,)
"""


def qopt(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *arguments],
        input=given,
        capture_output=True,
        env=ENVIRONMENT,
        timeout=60,
        check=False,
    )


def test_version_is_quick_and_imports_no_xdsl():
    code = (
        "import sys; from tools.qopt import main; status = main(['--version']); "
        "sys.exit(status or 'xdsl' in sys.modules or 'numpy' in sys.modules)"
    )
    seconds: list[float] = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            env=ENVIRONMENT,
            check=False,
        )
        seconds.append(time.perf_counter() - start)
        assert done.returncode == 0
        assert done.stdout.startswith(b"qopt ")
        assert b"xdsl 0.74.0" in done.stdout
    assert min(seconds) < 0.6


def test_reads_standard_input_and_writes_standard_output():
    first = qopt(given=MODULE)
    assert first.returncode == 0
    assert b"qnn.sign %x" in first.stdout
    assert qopt("-", given=first.stdout).stdout == first.stdout


def test_error_in_standard_input():
    done = qopt(given=MODULE.replace(b"sign", b"sin"))
    assert done.returncode == 1
    assert done.stderr.startswith(b"<stdin>:2:3: error: no operation 'qnn.sin'")


def test_closed_pipe_is_silent():
    reader, writer = os.pipe()
    process = subprocess.Popen(
        COMMAND,
        stdin=subprocess.PIPE,
        stdout=writer,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    os.close(writer)
    os.close(reader)
    _, message = process.communicate(MODULE, timeout=60)
    assert message == b""
    assert process.returncode == 128 + signal.SIGPIPE


def test_full_standard_output():
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            COMMAND,
            input=MODULE,
            stdout=full,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr == (
        b"qopt: error: standard output: cannot be written: No space left on device\n"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_it_leaves_the_old_output(number: signal.Signals, tmp_path: Path):
    (tmp_path / "m.mlir").write_bytes(MODULE)
    (tmp_path / "p.py").write_text(SLOW_PLUGIN)
    (tmp_path / "out.mlir").write_text("before")
    process = subprocess.Popen(
        [
            *COMMAND,
            *["m.mlir", "--load-plugin", "p.py", "-p", "slow", "-o", "out.mlir"],
        ],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
    )
    for _ in range(200):
        if (tmp_path / "started").exists():
            break
        time.sleep(0.05)
    process.send_signal(number)
    _, message = process.communicate(timeout=30)
    assert message == b"qopt: interrupted; nothing was written\n"
    assert process.returncode == 130
    assert (tmp_path / "out.mlir").read_text() == "before"
    assert {path.name for path in tmp_path.iterdir()} == {
        "m.mlir",
        "p.py",
        "out.mlir",
        "started",
    }


def test_debug_shows_the_traceback(tmp_path: Path):
    (tmp_path / "m.mlir").write_bytes(MODULE.replace(b"sign", b"sin"))
    done = qopt(str(tmp_path / "m.mlir"), "--debug")
    assert done.returncode == 1
    assert b"Traceback" in done.stderr
