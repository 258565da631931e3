"""The language model that is shared with this user, as the environment names it. The key stays here."""
import contextlib
import http.client
import json
import time
import urllib.parse

CONNECT_SECONDS = 10
ANSWER_SECONDS = 600  # a model may have to be loaded first
WHOLE_SECONDS = 3600
SIGN_SECONDS = 5
LINE_BYTES = 1 << 20
GONE = ("The service does not answer: it may have ended. Look in your dashboard whether it is still shared with you, "
        "and start a chat with what is there now.")


class ServiceError(Exception):
    """One sentence for the reader of the page."""


class Service:
    """Speaks OpenAI's API, or Ollama's where only that is known. Knows no proxy and follows no redirection."""

    def __init__(self, env):
        self.openai = "OPENAI_BASE_URL" in env
        self.url = (env.get("OPENAI_BASE_URL") or env.get("OLLAMA_HOST") or "").rstrip("/")
        self.key = env.get("OPENAI_API_KEY", "none")
        self.model = env.get("MT_MODEL", "")

    def models(self):
        """Names; the one that is shared comes first where the service does not deny it."""
        path, listed, name = ("/models", "data", "id") if self.openai else ("/api/tags", "models", "name")
        with self._request("GET", path) as response:
            try:
                found = [str(model[name]) for model in json.loads(response.read(LINE_BYTES).decode())[listed] or []]
            except (LookupError, TypeError, ValueError):
                raise ServiceError("The service's list of models can't be understood.") from None
        if not found:
            raise ServiceError("The service has no models at this time.")
        return found

    def answer(self, model, messages):
        """Yields the pieces of what the model says, and "" now and then while it says nothing."""
        path = "/chat/completions" if self.openai else "/api/chat"
        question = {"model": model, "messages": messages, "stream": True}
        end = time.monotonic() + WHOLE_SECONDS
        sign = time.monotonic()
        with self._request("POST", path, question, model) as response:
            while time.monotonic() < end:
                line = response.readline(LINE_BYTES).decode("utf-8", "replace").strip()
                if line == "data: [DONE]":
                    return
                text, last = self._piece(line, response)
                if text or time.monotonic() > sign + SIGN_SECONDS:
                    sign = time.monotonic()
                    yield text
                if last:
                    return
        raise ServiceError("The answer took more than an hour; it ends here.")

    def _piece(self, line, response):
        """The text of one line, and whether it is the last of Ollama's."""
        if self.openai:
            if line and not line.startswith("data:"):
                return "", False
            line = line[len("data:"):]
        if not line.strip():
            if response.isclosed():
                raise ServiceError("The service broke its answer off: it may have ended.")
            return "", False
        try:
            piece = json.loads(line)
            if "error" in piece:
                raise ServiceError("The service says: " + sentence(piece["error"]))
            if self.openai:
                choices = piece.get("choices")
                return (choices[0]["delta"].get("content") or "") if choices else "", False
            return (piece.get("message") or {}).get("content") or "", bool(piece.get("done"))
        except (LookupError, TypeError, ValueError, AttributeError):
            raise ServiceError("The service's answer can't be understood.") from None

    @contextlib.contextmanager
    def _request(self, method, path, body=None, model=""):
        connection = None
        try:
            url = urllib.parse.urlsplit(self.url)
            if url.scheme not in ("http", "https") or not url.hostname:
                raise ServiceError("What is shared is not the address of a language model.")
            kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
            connection = kind(url.hostname, url.port, timeout=CONNECT_SECONDS)
            connection.connect()
            connection.sock.settimeout(ANSWER_SECONDS)
            headers = {"Authorization": "Bearer " + self.key, "Content-Type": "application/json"}
            connection.request(method, url.path + path, body and json.dumps(body).encode(), headers)
            response = connection.getresponse()
            if response.status != 200:
                raise refusal(response, model)
            yield response
        except (OSError, http.client.HTTPException):
            raise ServiceError(GONE) from None
        except ValueError:
            raise ServiceError("What is shared is not the address of a language model.") from None
        finally:
            if connection:
                connection.close()


def refusal(response, model):
    if response.status in (401, 403):
        return ServiceError("The service refuses the key that was shared: start a new chat from your dashboard.")
    if response.status == 404 and model:
        return ServiceError('The service has no model called "{}".'.format(model[:200]))
    try:
        said = sentence(json.loads(response.read(LINE_BYTES).decode())["error"])
    except (LookupError, TypeError, ValueError):
        said = response.reason
    return ServiceError("The service answered with code {}: {}".format(response.status, said))


def sentence(error):
    return str(error.get("message") if isinstance(error, dict) else error)[:300]
