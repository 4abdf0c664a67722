"""How much memory this process can still get."""

import resource
from collections.abc import Iterator
from pathlib import Path


def free_bytes(root: Path = Path("/")) -> int:
    """Return the least of what the machine, the control group and the process's own limit leave.

    Parameters
    ----------
    root : Path
        Root of the file system; Linux only, elsewhere nothing is known to be short.
    """
    return min(_rooms(root), default=2**63)


def _rooms(root: Path) -> Iterator[int]:
    meminfo, group = root / "proc/meminfo", root / "sys/fs/cgroup"
    if meminfo.exists():
        lines = dict(line.split(":") for line in meminfo.read_text(encoding="utf-8").splitlines())
        yield int(lines["MemAvailable"].split()[0]) * 1024
    limit = group / "memory.max"
    if limit.exists() and (most := limit.read_text(encoding="utf-8").strip()) != "max":
        # What is used includes files that the kernel drops when it needs the room.
        lines = dict(
            line.split() for line in (group / "memory.stat").read_text(encoding="utf-8").splitlines()
        )
        used = int((group / "memory.current").read_text(encoding="utf-8"))
        yield max(0, int(most) - used + int(lines["inactive_file"]))
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY:
        pages = int((root / "proc/self/statm").read_text(encoding="utf-8").split()[0])
        yield max(0, soft - pages * resource.getpagesize())
