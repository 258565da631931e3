"""The user's own key of a service with a gateway, which lets each user in by name."""
import os
import subprocess
import threading
import time

AHEAD_SECONDS = 600  # before its end, another one is asked for
PAUSE_SECONDS = 60
WAIT_SECONDS = 120


class NotLetIn(Exception):
    """Why, in a sentence."""


class Key:
    """Whoever has it uses the service in the user's name: it stays here."""

    def __init__(self, env):
        self.token = env.get("MT_API_KEY", "")
        self.asked = time.monotonic()
        self.lock = threading.Lock()

    def now(self, gates, refused=None):
        """One that is good for a while, and is not the one that was refused. `gates` are lines as MT_GATES has them."""
        with self.lock:
            left = seconds_left(self.token) if self.token != refused else 0
            late = left < AHEAD_SECONDS and time.monotonic() > self.asked + PAUSE_SECONDS
            if left <= 0 or late:
                self.asked = time.monotonic()
                try:
                    self.token = log_in(gates)
                except NotLetIn:
                    if left <= 0:
                        raise
            return self.token


def seconds_left(token):
    end = (token.split(".") + ["", ""])[2]
    return int(end) - time.time() if end.isdigit() else 0


def log_in(gates):
    """As the job's script does: munged says who this user is."""
    try:
        done = subprocess.run(["bash", "-c", "log_in"], env=dict(os.environ, MT_GATES="\n".join(gates)),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              universal_newlines=True, timeout=WAIT_SECONDS)
    except (OSError, subprocess.SubprocessError):
        raise NotLetIn("You could not log in to the service in time: try again in a minute.") from None
    if done.returncode:
        raise NotLetIn(done.stderr.strip()[-500:] or "You could not log in to the service.")
    return done.stdout.strip()
