"""The language model that is shared with this user, as the environment names it. Keys stay here."""
import contextlib
import http.client
import json
import re
import socket
import threading
import time
import urllib.parse

from key import Key, NotLetIn
from members import Members

CONNECT_SECONDS = 10
ANSWER_SECONDS = 600  # a model may have to be loaded first
WHOLE_SECONDS = 3600
LIST_SECONDS = 60
ANSWER_CHARACTERS = 1 << 19  # more than models say at once; the page draws all of it with each part that comes
LINE_BYTES = 1 << 20
NAMES, NAME_CHARACTERS = 1000, 500  # of models: browsers lay out all of a choice at once
GONE = ("The service does not answer: it may have ended. Look in your dashboard whether it is still shared with you, "
        "and start a chat with what is there now.")
SILENT = "The service said nothing for too long: it is busy, or has ended. Try again in some minutes."
BROKEN = "The service broke its answer off: it may have ended."
UNCLEAR = "The service's answer can't be understood."
NO_ADDRESS = "What is shared is not the address of a language model."
# As llama.cpp, vLLM, Ollama and OpenAI say it.
TOO_LONG = re.compile("context[ _](size|length|window)|maximum model length|too (long|large|many tokens)", re.I)


class ServiceError(Exception):
    """One sentence for the reader of the page."""

    lost = False  # whether another job of the service may yet answer


class Unanswered(ServiceError):
    """The job that was asked is gone, or can't answer now: another one may."""

    lost = True


class Busy(Unanswered):
    """It is there, and says so."""

    lost = False


class Refused(ServiceError):
    """It does not take the key."""


class Stopped(Exception):
    """Nobody waits for the answer any more."""


class Service:
    """Asks the first of its members that answers. What has begun is asked nobody else."""

    def __init__(self, env):
        self.members = Members(env)
        self.key = Key(env)

    def models(self):
        """The note of who answers, their names, and the one that is shared."""
        *notes, (names, shared) = self._first(Member.listed)
        return dict(*notes), names, shared if shared in names else names[0]

    def answer(self, model, messages, watch):
        """Yields the parts of what the model says: its text, its thought, that the answer was cut off, or a note of who
        answers. `watch` is given the connection's socket, and entered for as long as a member is asked."""
        return self._first(lambda member: member.answer(model, messages, watch))

    def _first(self, ask):
        errors, silent = [], []
        found = self.members.now()
        for connection in found:
            job = connection.get("jobid", "")
            begun = False
            try:
                with contextlib.closing(self._let_in(ask, connection, found)) as parts:
                    for part in parts:
                        if not begun and self.members.several:
                            yield {"note": note(silent, job)}
                        begun = True
                        yield part
                return
            except Unanswered as error:
                self.members.put_last(connection)
                if begun:
                    raise Unanswered(BROKEN) from None
                errors.append(error)
                silent.append(job)
        raise next((error for error in errors if isinstance(error, Busy)), errors[0])

    def _let_in(self, ask, connection, found):
        """Asks that member, with the key that all have. With a gateway each user has their own: where that is not taken
        any more, with a new one."""
        if "mt_gate" not in connection:
            yield from ask(Member(connection, connection.get("api_key")))
            return
        key = None
        while True:
            key, refused = self._own_key(found, key), key
            try:
                yield from ask(Member(connection, key))
                return
            except Refused:
                if refused:
                    raise

    def _own_key(self, found, refused):
        try:
            return self.key.now([one["mt_gate"] for one in found if "mt_gate" in one], refused)
        except NotLetIn as error:
            raise ServiceError(str(error)) from None


def note(silent, job):
    if not silent:
        return "Job {} answers.".format(job)
    jobs = "Job {} does".format(silent[0]) if len(silent) == 1 else "Jobs {} do".format(", ".join(silent))
    return "{} not answer; job {} of the same service does.".format(jobs, job)


class Member:
    """Speaks OpenAI's API, or Ollama's where only that is known. Knows no proxy and follows no redirection."""

    def __init__(self, connection, key):
        self.openai = "base_url" in connection
        self.url = (connection.get("base_url") or connection.get("ollama_url") or "").rstrip("/")
        self.key = self.openai and key or "none"
        self.own_key = "mt_gate" in connection
        self.model = connection.get("model") or connection.get("ollama_model") or ""

    def listed(self):
        """Yields the names of its models, and the one that is shared."""
        yield self._models(), self.model

    def _models(self):
        path, listed, name = ("/models", "data", "id") if self.openai else ("/api/tags", "models", "name")
        with self._request("GET", path) as response:
            try:
                found = [str(model[name]) for model in json.loads(response.read(LINE_BYTES).decode())[listed] or []]
            except (LookupError, TypeError, ValueError):
                raise ServiceError("The service's list of models can't be understood.") from None
        if not found:
            raise ServiceError("The service has no models at this time.")
        found = [name for name in found if len(name) <= NAME_CHARACTERS]
        if not found:
            raise ServiceError("The names of the service's models are too long.")
        return found[:NAMES] + [self.model] * (self.model in found[NAMES:])

    def answer(self, model, messages, watch):
        path = "/chat/completions" if self.openai else "/api/chat"
        question = {"model": model, "messages": messages, "stream": True}
        end = time.monotonic() + WHOLE_SECONDS
        left = ANSWER_CHARACTERS
        with self._request("POST", path, question, model, watch) as response:
            while time.monotonic() < end:
                line = response.readline(LINE_BYTES).decode("utf-8", "replace").strip()
                if line == "data: [DONE]":
                    return
                piece = self._piece(line)
                if piece is None:
                    if response.isclosed():
                        raise Unanswered(BROKEN)
                    continue
                for part in self._parts(piece):
                    left -= len(part.get("text") or part.get("thought") or "")
                    if left < 0:
                        raise ServiceError("The answer is longer than this page shows; it ends here.")
                    yield part
                if piece.get("done"):  # Ollama's last
                    return
        raise ServiceError("The answer took more than an hour; it ends here.")

    def _piece(self, line):
        """What one line says; None where that is nothing."""
        field = "data"
        if self.openai:
            field, _, line = line.partition(":")
        if field not in ("data", "error") or not line.strip():  # llama.cpp has a field for errors
            return None
        try:
            piece = json.loads(line)
            error = piece if field == "error" else piece.get("error")
        except (ValueError, AttributeError):
            raise ServiceError(UNCLEAR) from None
        if error:
            raise complaint("The service says: {}", error)
        return piece

    def _parts(self, piece):
        """What of it the page shows. Servers differ in what they call a thought, and some say it under two names."""
        try:
            choice = (piece.get("choices") or [{}])[0] if self.openai else piece
            said = choice.get("delta" if self.openai else "message") or {}
            for part, names in (("thought", ("reasoning_content", "reasoning", "thinking")), ("text", ("content",))):
                text = next(filter(None, map(said.get, names)), "")
                if text:
                    yield {part: str(text)}
            if "length" in (choice.get("finish_reason"), choice.get("done_reason")):
                yield {"cut": True}
        except (LookupError, TypeError, AttributeError):
            raise ServiceError(UNCLEAR) from None

    @contextlib.contextmanager
    def _request(self, method, path, body=None, model="", watch=None):
        with contextlib.ExitStack() as stack:
            try:
                url = urllib.parse.urlsplit(self.url)
                if url.scheme not in ("http", "https") or not url.hostname:
                    raise ServiceError(NO_ADDRESS)
                kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
                connection = kind(url.hostname, url.port, timeout=CONNECT_SECONDS)
                stack.callback(connection.close)
                try:
                    connection.connect()
                except socket.timeout:
                    raise Unanswered(SILENT) from None
                connection.sock.settimeout(ANSWER_SECONDS)
                # A server may say for ever that it goes on, or a byte at a time.
                over = threading.Timer(WHOLE_SECONDS if watch else LIST_SECONDS, hang_up, [connection.sock])
                stack.callback(over.cancel)
                over.daemon = True
                over.start()
                if watch:
                    stack.enter_context(watch(connection.sock))
                headers = {"Authorization": "Bearer " + self.key, "Content-Type": "application/json"}
                connection.request(method, url.path + path, body and json.dumps(body).encode(), headers)
                response = connection.getresponse()
                if response.status != 200:
                    raise refusal(response, model, self.own_key)
                yield response
            except socket.timeout:
                raise ServiceError(SILENT) from None
            except (OSError, http.client.HTTPException):
                raise Unanswered(GONE) from None
            except RecursionError:  # nested deeper than Python follows
                raise ServiceError(UNCLEAR) from None
            except ValueError:
                raise ServiceError(NO_ADDRESS) from None


def hang_up(connection):
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def refusal(response, model, own_key):
    if response.status in (401, 403) and not own_key:
        return ServiceError("The service refuses the key that was shared: start a new chat from your dashboard.")
    if response.status == 404 and model:
        return ServiceError('The service has no model called "{}".'.format(model[:200]))
    try:
        error = json.loads(response.read(LINE_BYTES).decode())
        error = error.get("error") or error  # the latter is some vLLM's
    except (AttributeError, ValueError):
        error = response.reason
    words = "The service answered with code %d: {}" % response.status
    if response.status in (401, 403):
        kind = Refused if response.status == 401 else ServiceError
        return complaint("The service does not let you in: {}", error, kind)
    if response.status in (429, 503):
        words = "The service is busy, or still loads its model: try again in a minute. It says: {}"
    return complaint(words, error, Busy if response.status in (502, 503) else ServiceError)


def complaint(words, error, kind=ServiceError):
    said = str(error.get("message") if isinstance(error, dict) else error)[:300]
    if TOO_LONG.search(json.dumps(error)):
        words = "This is too long for the model: begin a new conversation, or write less. The service says: {}"
    return kind(words.format(said))
