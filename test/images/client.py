"""Of the client image, in its root: Jupyter lists its notebooks, and the chat page wants its token. As the image's user:
   script/images run client setpriv --reuid=1000 --regid=1000 --clear-groups env HOME=/home/reader python3 - <test/images/client.py
"""
import http.client
import json
import os
import subprocess
import time

TOKEN = "sekret"
COMMANDS = {8888: ["jupyter-notebook", "--ip=0.0.0.0", "--port=8888", "--no-browser"], 8889: ["multitenant-chat"]}
NOTEBOOKS = ["database.ipynb", "llm.ipynb", "other.ipynb"]


def ask(port, method, path, body=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body)
    answer = connection.getresponse()
    return answer.status, answer.getheader("Set-Cookie"), answer.read().decode()


def answers(port):
    try:
        ask(port, "GET", "/")
        return True
    except OSError:
        return False


os.chdir("/home/reader")
started = [subprocess.Popen(command, env=dict(os.environ, JUPYTER_TOKEN=TOKEN)) for command in COMMANDS.values()]
try:
    deadline = time.monotonic() + 300
    while not all(map(answers, COMMANDS)):
        assert time.monotonic() < deadline and all(one.poll() is None for one in started), "they do not answer"
        time.sleep(0.2)
    assert ask(8888, "GET", "/api/contents")[0] == 403
    listed = json.loads(ask(8888, "GET", "/api/contents?token=" + TOKEN)[2])["content"]
    assert sorted(one["name"] for one in listed) == NOTEBOOKS, listed
    status, _, page = ask(8889, "GET", "/")
    assert status == 403 and '<form action="login"' in page, page
    assert ask(8889, "POST", "/login", "password=guess")[:2] == (403, None)
    status, cookie, _ = ask(8889, "POST", "/login", "password=" + TOKEN)
    assert status == 303 and cookie, status
    print("Jupyter lists its notebooks, and the chat page lets in by its token.")
finally:
    for one in started:
        one.terminate()
    assert started[1].wait(60) == 0
