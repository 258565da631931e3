"""The page by Gradio (4.44 and later), behind the same gate."""
import inspect
import os

os.environ.update(GRADIO_ANALYTICS_ENABLED="False", GRADIO_SSR_MODE="False")

import fastapi  # noqa: E402
import gradio  # noqa: E402
import uvicorn  # noqa: E402

from gate import same_origin  # noqa: E402
from service import ServiceError  # noqa: E402

STRANGER = b"Open this page from its card in your dashboard.\n"
FORM_BYTES = 4096


def run(service, gate, title, port):
    try:
        page = blocks(service, title)
    except ServiceError as error:
        raise SystemExit(str(error))
    app = gradio.mount_gradio_app(fastapi.FastAPI(), page, path="/", root_path=gate.path)
    uvicorn.run(Guard(app, gate), host="0.0.0.0", port=port, log_level="warning", access_log=False)


def blocks(service, title):
    def answer(text, history, model):
        said = ""
        messages = [{"role": turn["role"], "content": plain(turn["content"])} for turn in history]
        try:
            for piece in service.answer(model, messages + [{"role": "user", "content": text}]):
                said += piece
                yield said
        except ServiceError as error:
            raise gradio.Error(str(error))

    names = service.models()
    choice = gradio.Dropdown(names, value=service.model if service.model in names else names[0], label="Model")
    options = {"additional_inputs": [choice], "title": "Chat with " + title}
    if "type" in inspect.signature(gradio.ChatInterface).parameters:  # before Gradio 6
        options["type"] = "messages"
    return gradio.ChatInterface(answer, **options)


def plain(content):
    """Gradio 6 gives a message in parts."""
    if isinstance(content, list):
        return "".join(part.get("text", "") for part in content if isinstance(part, dict))
    return str(content)


class Guard:
    """Lets nobody through to the application, by HTTP or WebSocket, whom the gate does not know."""

    def __init__(self, app, gate):
        self.app = app
        self.gate = gate

    async def __call__(self, scope, receive, send):
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["type"] == "http" and scope["path"].endswith("/login"):
            return await self.login(scope, headers, receive, send)
        plain = scope["type"] == "http" and scope["method"] in ("GET", "HEAD")
        if self.gate.knows(headers) and (plain or same_origin(headers)):
            return await self.app(scope, receive, send)
        if scope["type"] == "websocket":
            return await send({"type": "websocket.close", "code": 1008})
        await reply(send, 403, STRANGER)

    async def login(self, scope, headers, receive, send):
        form, more = b"", scope["method"] == "POST"
        while more and len(form) <= FORM_BYTES:
            message = await receive()
            form += message.get("body", b"")
            more = message.get("more_body", False)
        cookie = self.gate.admit(form, headers)
        if cookie:
            await reply(send, 303, b"", [(b"location", b"./"), (b"set-cookie", cookie.encode())])
        elif self.gate.knows(headers):
            await reply(send, 303, b"", [(b"location", b"./")])
        else:
            await reply(send, 403, STRANGER)


async def reply(send, code, body, more=()):
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"cache-control", b"no-store"), *more]
    await send({"type": "http.response.start", "status": code, "headers": headers})
    await send({"type": "http.response.body", "body": body})
