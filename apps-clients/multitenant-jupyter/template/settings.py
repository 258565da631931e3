# Jupyter's settings for a place behind Open OnDemand. NotebookApp is Notebook up to 6, ServerApp is JupyterLab and
# Notebook from 7.
import os

c = get_config()  # noqa: F821 -- Jupyter's
hashed = os.environ.pop("mt_hash")
origin = os.environ.pop("mt_origin") or "*"
# A token of the user's own, which others may know, would open this beside the password. Jupyter also reads jupyter_config.py in
# ~/.jupyter and /etc, and JupyterLab and Notebook from 7 their own file there, of which what is said here goes first.
for name in ("JUPYTER_TOKEN", "JUPYTER_TOKEN_FILE"):
    os.environ.pop(name, None)
cookie = {"samesite": "Strict"}
# A login shell, as Jupyter starts in a terminal, would read start-up files after what the service's environment says.
shell = os.environ.get("SHELL", "")
terminal = os.path.join(os.path.dirname(os.path.abspath(__file__)), "terminal.sh")
for app in (c.NotebookApp, c.ServerApp):
    app.ip = "*"
    app.port = int(os.environ["port"])
    app.port_retries = 0
    # OOD's proxy does not speak TLS to it.
    app.certfile = app.keyfile = app.client_ca = ""
    app.base_url = "/node/{}/{}/".format(os.environ["host"], os.environ["port"])
    app.open_browser = False
    # The card's form and OOD's proxy are not Jupyter's own pages. The cookie goes to no other site's; other hosts of the
    # site are kept out by OOD's origin, where it is known.
    app.allow_origin = origin
    app.allow_origin_pat = ""
    app.disable_check_xsrf = True
    if os.path.basename(shell) == "bash":
        app.terminado_settings = {"shell_command": [shell, "--rcfile", terminal]}
c.NotebookApp.notebook_dir = c.ServerApp.root_dir = os.path.expanduser("~")
c.NotebookApp.password = c.ServerApp.password = c.PasswordIdentityProvider.hashed_password = hashed
c.NotebookApp.token = c.ServerApp.token = c.IdentityProvider.token = c.PasswordIdentityProvider.token = ""
c.NotebookApp.cookie_options = c.ServerApp.cookie_options = c.IdentityProvider.cookie_options = cookie
