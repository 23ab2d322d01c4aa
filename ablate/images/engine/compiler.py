"""The system's C compiler: a kernel's source with the constants of a shape, compiled once a machine and kept.

Where there is no compiler, the kernels' modules say so and their callers use torch's operations.
"""

import functools
import platform
import shutil
import subprocess
from pathlib import Path

from ablate.images.engine.kernel_cache import library

_HEADERS = sorted(Path(__file__).parent.glob("*.h"))


def compile_source(source: Path, macros: dict[str, int]) -> Path:
    """Return the shared object for a source and its macros, compiled unless the cache holds it.

    Args:
        source: A C file beside this module.
        macros: The constants that it is compiled with.

    Raises:
        OSError: The cache folder cannot be written.
        RuntimeError: There is no compiler.
        subprocess.SubprocessError: It fails.
    """
    compiler, version, cpu = _toolchain()
    flags = ["-O3", "-std=gnu11", "-fPIC", "-shared", "-fno-math-errno", "-fno-trapping-math", "-ffp-contract=fast"]
    flags += ["-fno-predictive-commoning"]  # keeps scalars of the next round in registers that the sums need
    flags += ["-march=native", "-mprefer-vector-width=512"] if platform.machine() in ("x86_64", "AMD64") else []
    flags += [f"-D{name}={value}" for name, value in macros.items()]
    texts = [file.read_text(encoding="utf-8") for file in (source, *_HEADERS)]

    def build(target: Path) -> None:
        command = [compiler, *flags, str(source), "-o", str(target), "-lm"]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)

    return library("\0".join([*texts, *flags, compiler, version, cpu]), build)


@functools.cache
def _toolchain() -> tuple[str, str, str]:
    """Return compiler, its version and what identifies the processor. Raises RuntimeError without a compiler."""
    compiler = next((found for name in ("cc", "gcc", "clang") if (found := shutil.which(name))), None)
    if compiler is None:
        raise RuntimeError("no C compiler (cc, gcc or clang) on the PATH")
    done = subprocess.run([compiler, "--version"], check=True, capture_output=True, text=True, timeout=60)
    cpu = platform.processor() + platform.machine()
    if (info := Path("/proc/cpuinfo")).exists():
        wanted = ("model name", "flags", "Features")  # -march=native depends on the flags; the rest varies (MHz)
        cpu += "".join(sorted({line for line in info.read_text().splitlines() if line.startswith(wanted)}))
    return compiler, done.stdout, cpu
