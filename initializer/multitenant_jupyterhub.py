"""Gives each server of a JupyterHub the services that are shared with its user: doc/jupyterhub.md

In jupyterhub_config.py:

    import sys
    sys.path.insert(0, "DIRECTORY OF THIS FILE")
    from multitenant_jupyterhub import pre_spawn_hook
    c.Spawner.pre_spawn_hook = pre_spawn_hook
"""
import asyncio
import functools
import json
import os
import pwd
import signal

# What the server gets: JSON, an object of services by their keys.
VARIABLE = "MT_SERVICES"
# How long an answer may take, and how long a spawn waits for it, whatever hangs.
SECONDS = 10
PATIENCE = 30
# How many are asked for at a time. A class begins at once, and an answer is mostly work of this host's processors: all
# together would be late together.
AT_ONCE = 2 * (os.cpu_count() or 1)
# Linux takes 128 KiB in one variable; of more services the command tells some of each publisher's.
BYTES = 100_000
COMMAND = ("multitenant", "services", "--environment", "--bytes", str(BYTES))
# What is read of an answer.
ANSWER = 1 << 20
# All that the command gets of the hub's environment, which holds the hub's secrets: the command is the user's.
KEPT = ("PATH", "LANG", "SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_SACK_SOCKET", "OOD_CLUSTERS", "OOD_DATAROOT")
OURS = "MULTITENANT_"


class NoServices(Exception):
    """One sentence, fit for a log."""


async def pre_spawn_hook(spawner):
    """A spawn goes on without services, whatever happens here. None of the last time stays."""
    environment = {name: value for name, value in spawner.environment.items() if name != VARIABLE}
    spawner.environment = environment
    user = spawner.user.name
    try:
        services, said = await asyncio.wait_for(in_turn(user), PATIENCE)
        spawner.environment = {**environment, VARIABLE: fit(services)}
        if said:
            spawner.log.warning("multitenant: %s may lack services: %s", user, said)
    except asyncio.TimeoutError:
        spawner.log.warning("multitenant: %s starts without services: no answer in %d s", user, PATIENCE)
    except Exception as error:  # never its text: what was read holds secrets
        said = one_line(error) if isinstance(error, (NoServices, OSError)) else type(error).__name__
        spawner.log.warning("multitenant: %s starts without services: %s", user, said)


@functools.lru_cache(maxsize=None)  # made in the hub's loop, to which Python before 3.10 ties it
def turns():
    return asyncio.Semaphore(AT_ONCE)


async def in_turn(user):
    async with turns():
        try:
            return await asyncio.wait_for(ask(user), SECONDS)
        except asyncio.TimeoutError:
            raise NoServices("no answer in %d s" % SECONDS) from None


async def ask(user):
    """All services of that user by their keys, and a sentence, or an empty one, where there may be more."""
    environment = {name: value for name, value in os.environ.items() if name in KEPT or name.startswith(OURS)}
    child = await asyncio.create_subprocess_exec(
        *become(user), *COMMAND, env=environment, cwd="/", start_new_session=True, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    try:
        answer, said = await asyncio.gather(read(child.stdout), read(child.stderr))
        failed = await child.wait()
    finally:
        if child.returncode is None:
            os.killpg(child.pid, signal.SIGKILL)
        child._transport.close()  # asyncio has no other way to close a pipe whose rest nobody reads
    lines = said.decode("utf-8", "replace").splitlines()
    if not failed:  # warnings of Ruby's are no word of the command's
        lines = [line for line in lines if line.startswith("multitenant: ")]
    said = one_line("\n".join(lines))
    if not answer:
        raise NoServices(said or "the answer was empty")
    return dict(json.loads(answer)), said


def become(user):
    """The command sees what its user sees. A hub that is not root's has servers of its own user alone."""
    if os.geteuid() == 0:
        return ("runuser", "--user=" + user, "--")
    if pwd.getpwuid(os.geteuid()).pw_name != user:
        raise NoServices("the hub is not root's, and can't ask as another user")
    return ()


async def read(stream):
    """Up to the end; the rest of an answer without one stays where it is."""
    text = b""
    while chunk := await stream.read(1 << 16):
        text += chunk
        if len(text) > ANSWER:
            raise NoServices("the answer is too large")
    return text


def fit(services):
    text = json.dumps(services, separators=(",", ":"))
    if len(text) > BYTES:
        raise NoServices("the answer is too large")
    return text


def one_line(text):
    line = (str(text).splitlines() or [""])[0][:300]
    return "".join(char if char.isprintable() else "?" for char in line)
