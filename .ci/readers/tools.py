"""Where the tools are, and how they are run."""

import importlib.util
import json
import os
import shutil
import subprocess
from pathlib import Path

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wharf-ci"
NODE_MODULES = CACHE / "npm" / "node_modules"
# What .ci/run installed comes first: the versions are the ones that the readers were tried with.
SEARCHED = [CACHE / "gobin", CACHE / "bin", NODE_MODULES / ".bin", *os.environ["PATH"].split(os.pathsep), "/usr/sbin", "/sbin"]
PATH = os.pathsep.join(map(str, SEARCHED))

ENVIRONMENT = dict(
    os.environ,
    PATH=PATH,
    LC_ALL="C.UTF-8",
    NO_COLOR="1",
    CHECKPOINT_DISABLE="1",
    TF_IN_AUTOMATION="1",
    ANSIBLE_NOCOLOR="1",
    ANSIBLE_LOCALHOST_WARNING="False",
    ANSIBLE_INVENTORY_UNPARSED_WARNING="False",
    PYTHONDONTWRITEBYTECODE="1",
    # Nothing that a reader does may ask the network.
    HELM_NO_PLUGINS="1",
    K6_NO_USAGE_REPORT="true",
    # A failure of zizmor is one sentence without it.
    RUST_BACKTRACE="0",
)


def missing(names):
    """Those of the names that are not here: programs, `python:MODULE` or `npm:PACKAGE`."""
    return [name for name in names if not there(name)]


def there(name):
    kind, _, what = name.rpartition(":")
    if kind == "python":
        return importlib.util.find_spec(what) is not None
    if kind == "npm":
        return (NODE_MODULES / what).is_dir()
    return shutil.which(name, path=PATH) is not None


def run(*command, cwd=None, stdin=None, timeout=300, **environment):
    """Runs a tool to its end; its exit status is the caller's to judge."""
    command = [str(part) for part in command]
    command[0] = shutil.which(command[0], path=PATH) or command[0]
    return subprocess.run(
        command,
        cwd=cwd,
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=ENVIRONMENT | environment,
    )


def said(result):
    """All that a tool printed, for a failure that has no finer form."""
    return (result.stdout + "\n" + result.stderr).strip() or f"exit status {result.returncode}"


def parsed(result, text=None):
    """The JSON that a tool printed. One that printed none has failed for a reason of its own."""
    try:
        return json.loads(result.stdout if text is None else text)
    except ValueError:
        raise RuntimeError(f"{os.path.basename(result.args[0])}: {said(result)[-1500:]}") from None
