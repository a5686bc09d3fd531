"""A virtual environment for the packages of one suite, in the cache folder (KN_CACHE, XDG_CACHE_HOME, ~/.cache)."""
import fcntl
import hashlib
import os
import pathlib
import subprocess
import sys
import time


def environment(name, requirements):
    """Python of the virtual environment `name` with the packages of the file `requirements`; made where it is missing."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    cache = pathlib.Path(os.environ.get("KN_CACHE") or os.path.join(home, "knowledgenet")) / "suites"
    key = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:8]
    folder = cache / f"{name}-{key}"
    python = folder / "bin" / "python"
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            started = time.monotonic()
            subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
            install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(requirements)]
            subprocess.run(install, check=True)
            (folder / "complete").touch()
            print(f"packages installed in {time.monotonic() - started:.0f} s: {folder}", file=sys.stderr)
    return python
