"""What a process keeps of freed memory."""

import resource
import subprocess
import sys

import pytest

_SCRIPT = """
import contextlib, ctypes, resource, sys
from repro.core.process import memory_kept

libc = ctypes.CDLL(None)
libc.malloc.restype, libc.malloc.argtypes, libc.free.argtypes = ctypes.c_void_p, [ctypes.c_size_t], [ctypes.c_void_p]

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        blocks = [libc.malloc(2**22) for _ in range(16)]
        for block in blocks:
            ctypes.memset(block, 1, 2**22)
        for block in blocks:
            libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

usual = faults()
with memory_kept():
    with memory_kept():
        pass
    inside = faults()
print(usual, inside)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_freed_memory_is_used_again_inside() -> None:
    done = subprocess.run([sys.executable, "-c", _SCRIPT], capture_output=True, text=True, check=True)
    usual, inside = map(int, done.stdout.split())
    pages = 50 * 16 * 2**22 // resource.getpagesize()
    assert usual > pages / 2, "a block of 4 MiB is mapped anew by default"
    assert inside < pages / 10
