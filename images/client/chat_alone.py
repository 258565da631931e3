#!/usr/bin/env -S python3 -E -s
"""The chat page where no dashboard has a card for it: whoever has the token may use it. doc/containers.md"""
import os
import secrets
import signal
import sys

import chat
from gate import Gate
from service import Service

FORM = b"""<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Chat</title>
<h1>Chat</h1>
<form action="login" method="post">
  <label>Token <input type="password" name="password" autocomplete="current-password" required autofocus></label>
  <button>Open the chat</button>
</form>
<p>It is JUPYTER_TOKEN, or stands in the log of this container.</p>
"""


class Page(chat.Page):
    """Strangers are asked for the token."""

    def refuse(self, code, sentence):
        if sentence != chat.STRANGER:
            super().refuse(code, sentence)
        elif self.gate.from_page(self.headers):
            super().refuse(code, "Load this page again: it asks for the token.")
        else:
            policy = chat.HEADERS["Content-Security-Policy"].replace("form-action 'none'", "form-action 'self'")
            self.reply(code, "text/html", FORM, {"Content-Security-Policy": policy})


def main():
    # The first process of a container is ended by no signal that it does not handle.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    port = os.environ.get("CHAT_PORT") or "8889"
    token = os.environ.pop("JUPYTER_TOKEN", "")
    if not token:
        token = secrets.token_hex(24)
        print("The chat's token is {}: JUPYTER_TOKEN sets another.".format(token), file=sys.stderr, flush=True)
    Page.service, Page.gate = Service(os.environ), Gate(token, "/", port)
    Page.title = os.environ.get("CHAT_TITLE") or "Language model"
    Page.owner, Page.dashboard = os.environ.get("CHAT_OWNER") or "another user", None
    with chat.Server(("", int(port)), Page) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
