"""The jobs of the service that is shared with this user."""
import json
import threading

FILE = "members.json"


class Members:
    """The one that is to be asked first comes first. The user's dashboard writes the file anew when others run; without
    it, there are those that the job was started with. `several` says whether there are, or were, more than one."""

    def __init__(self, env):
        self.started_with = json.loads(env.get("MT_MEMBERS") or "[]") or [alone(env)]
        self.told = self.order = self.started_with
        self.several = len(self.told) > 1
        self.lock = threading.Lock()

    def now(self):
        with self.lock:
            told = self._file() or self.started_with
            if told != self.told:
                self.told = self.order = told
                self.several = True
            return self.order

    def put_last(self, member):
        """It did not answer: the others come first until the list changes."""
        with self.lock:
            if member in self.order:
                self.order = [one for one in self.order if one != member] + [member]

    def _file(self):
        try:
            with open(FILE, encoding="utf-8") as file:
                return json.load(file)["members"]
        except (OSError, ValueError, LookupError, TypeError):
            return None


def alone(env):
    names = {"base_url": "OPENAI_BASE_URL", "api_key": "OPENAI_API_KEY", "ollama_url": "OLLAMA_HOST", "model": "MT_MODEL"}
    return {key: env[name] for key, name in names.items() if name in env}
