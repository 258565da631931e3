#!/usr/bin/env python3
"""A page to chat with a language model that is shared with this user. Only the standard library is needed."""
import contextlib
import http.client
import http.server
import json
import os
import select
import socket
import socketserver
import sys
import threading
import time

from gate import Gate
from service import Service, ServiceError, Stopped

HERE = os.path.dirname(os.path.abspath(__file__))
FILES = {"/": ("chat.html", "text/html"), "/chat.css": ("chat.css", "text/css"),
         **{"/" + name: (name, "text/javascript") for name in ("chat.js", "markdown.js", "marked.js")}}
HEAD_BYTES, FORM_BYTES, QUESTION_BYTES = 64 << 10, 4096, 8 << 20
CONNECTIONS = 500  # at a time: each has a thread, and any stranger may open one
STRANGER_SECONDS = 20  # until it is known who asks: each read has a limit of its own, and bytes may come one by one
LOOK_SECONDS = 1
STRANGER = "Open this page from its card in your dashboard."
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                               "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store, no-transform",
}


class Head:
    """What comes before a body: as much as a browser sends, and no more. Any stranger may send one."""

    def __init__(self, file):
        self.file, self.left = file, HEAD_BYTES

    def readline(self, limit):
        line = self.file.readline(min(limit, self.left + 1))
        self.left -= len(line)
        if self.left < 0:
            raise http.client.HTTPException("it is too long")
        return line


class Page(http.server.BaseHTTPRequestHandler):
    """One request. `service`, `gate`, `title`, `owner` and `dashboard` are the class's own, set by main."""

    timeout = 60
    server_version, sys_version = "chat", ""

    def parse_request(self):
        whole, self.rfile = self.rfile, Head(self.rfile)
        try:
            return super().parse_request()
        finally:
            self.rfile = whole

    def do_GET(self):
        path = self.path.partition("?")[0]
        if not self.knows():
            self.refuse(403, STRANGER)
        elif path in FILES:
            name, kind = FILES[path]
            with open(os.path.join(HERE, name), "rb") as file:
                self.reply(200, kind, file.read())
        elif path == "/login":
            self.reply(303, "text/plain", b"", {"Location": "./"})
        elif path == "/models" and self.gate.from_page(self.headers):
            self.models()
        else:
            self.refuse(404, "There is no such page.")

    def do_POST(self):
        path = self.path.partition("?")[0]
        known = self.knows() and self.gate.from_page(self.headers)
        body = self.body(QUESTION_BYTES if known else FORM_BYTES)
        if body is None:
            self.refuse(413, "This is too long: begin a new conversation.")
        elif path == "/login":
            self.login(body)
        elif not known:
            self.refuse(403, STRANGER)
        elif path == "/chat":
            self.chat(body)
        else:
            self.refuse(404, "There is no such page.")

    def knows(self):
        known = self.gate.knows(self.headers)
        if known:
            self.server.strangers.pop(self.request, None)
        return known

    def login(self, form):
        cookie = self.gate.admit(form, self.headers)
        if cookie:
            self.reply(303, "text/plain", b"", {"Location": "./", "Set-Cookie": cookie})
        else:
            self.refuse(403, STRANGER)

    def models(self):
        try:
            note, names, model = self.service.models()
            self.json({"service": self.title, "owner": self.owner, "models": names, "model": model, **note})
        except ServiceError as error:
            self.json(self.failure(error))

    def chat(self, body):
        try:
            question = json.loads(body.decode())
            model = str(question["model"])
            messages = [{"role": "assistant" if message["role"] == "assistant" else "user",
                         "content": str(message["content"])} for message in question["messages"]]
        except (LookupError, TypeError, ValueError):
            self.refuse(400, "This is not a question.")
            return
        self.head(200, "application/x-ndjson")
        self.writing = threading.Lock()
        try:
            with contextlib.closing(self.service.answer(model, messages, self.watch)) as parts:
                for part in parts:
                    self.line(part)
            self.line({"done": True})
        except ServiceError as error:
            self.line(self.failure(error))
        except Stopped:
            pass

    def failure(self, error):
        """`again` is the page that makes the dashboard tell of other jobs, where there may be some."""
        again = {"again": self.dashboard} if error.lost and self.dashboard else {}
        return {"error": str(error), "lost": error.lost, **again}

    @contextlib.contextmanager
    def watch(self, upstream):
        """Closes the service's connection once the browser is gone, so that nobody computes an answer for it."""
        over, gone = threading.Event(), threading.Event()

        def look():
            while not over.wait(LOOK_SECONDS):
                with contextlib.suppress(OSError):
                    self.line({})  # Apache tells that a browser is gone only when it is written to
                    if not hung_up(self.connection):
                        continue
                gone.set()
                with contextlib.suppress(OSError):
                    upstream.shutdown(socket.SHUT_RDWR)
                return

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
            if gone.is_set():
                raise Stopped

    def body(self, limit):
        """What was sent; None where that is more, or of no length."""
        length = self.headers.get("content-length") or ""
        if not length.isdecimal() or len(length) > 9 or int(length) > limit:
            return None
        return self.rfile.read(int(length))

    def line(self, part):
        with self.writing:
            self.wfile.write(json.dumps(part).encode() + b"\n")

    def json(self, answer, code=200):
        self.reply(code, "application/json", json.dumps(answer).encode() + b"\n")

    def refuse(self, code, sentence):
        if self.gate.from_page(self.headers):
            self.json({"error": sentence}, code)
        else:
            self.reply(code, "text/plain", sentence.encode() + b"\n")

    def reply(self, code, kind, body, more=None):
        self.head(code, kind, dict(more or {}, **{"Content-Length": str(len(body))}))
        self.wfile.write(body)

    def head(self, code, kind, more=None):
        self.send_response(code)
        self.send_header("Content-Type", kind + "; charset=utf-8")
        for name, value in dict(HEADERS, **(more or {})).items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, *said):
        """Nothing of a request is logged, nor what is wrong with one: any stranger may send as many as they like."""


def hung_up(connection):
    return select.select([connection], [], [], 0)[0] and not connection.recv(1, socket.MSG_PEEK)


def has_ipv6():
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as one:
        one.bind(("", 0))
        return True
    return False


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    # By IPv4 too. Nobody else gets the port by the one that is left: browsers come by the node's name, with a password.
    address_family = socket.AF_INET6 if has_ipv6() else socket.AF_INET
    daemon_threads = True
    request_queue_size = 64
    places = threading.Semaphore(CONNECTIONS)
    strangers = {}  # sockets, and since when

    def server_bind(self):
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def process_request(self, request, client_address):
        if not self.places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        self.strangers[request] = time.monotonic()
        try:
            super().process_request(request, client_address)
        except Exception:  # no thread can be started
            self.strangers.pop(request, None)
            self.places.release()
            raise

    def process_request_thread(self, request, client_address):
        try:
            super().process_request_thread(request, client_address)
        finally:
            self.strangers.pop(request, None)
            self.places.release()

    def service_actions(self):
        for request, since in list(self.strangers.items()):
            if time.monotonic() - since > STRANGER_SECONDS:
                with contextlib.suppress(OSError):
                    request.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], OSError):  # a browser that is gone
            super().handle_error(request, client_address)


def main():
    host, port = os.environ["host"], os.environ["port"]
    gate = Gate(os.environ.pop("password"), "/rnode/{}/{}".format(host, port), port)
    Page.service, Page.gate = Service(os.environ), gate
    Page.title, Page.owner = os.environ["mt_service"], os.environ["mt_owner"]
    Page.dashboard = os.environ.get("mt_dashboard")
    with Server(("", int(port)), Page) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
