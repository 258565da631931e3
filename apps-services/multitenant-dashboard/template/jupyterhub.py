# JupyterHub for the members of a group, in one job: each has a server of their own, and all of these run as the job's owner.
# Nobody but the gateway reaches it, and that says who each is.
import os
import socket

from jupyterhub.auth import Authenticator
from jupyterhub.handlers.login import LoginHandler
from tornado import web


def free():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return "http://127.0.0.1:{}".format(one.getsockname()[1])


class Named(LoginHandler):
    async def get(self):
        self.redirect(self.get_next_url(await self.login_user()))


class Gateway(Authenticator):
    auto_login = True
    allow_all = any_allow_config = True  # since 5.0 nobody may come in unless something allows it

    def get_handlers(self, app):
        return [("/login", Named)]

    async def authenticate(self, handler, data):
        if name := handler.request.headers.get("X-MultiTenant-User"):
            return name
        raise web.HTTPError(403)


c = get_config()  # noqa: F821 -- JupyterHub's
path = os.environ["app_path"]
c.JupyterHub.bind_url = "http://127.0.0.1:{port}{base_path}/".format(**os.environ)
c.JupyterHub.hub_bind_url = free()
c.ConfigurableHTTPProxy.api_url = free()
c.ConfigurableHTTPProxy.pid_file = os.path.join(path, "proxy.pid")
c.JupyterHub.db_url = "sqlite:///" + os.path.join(path, "jupyterhub.sqlite")
c.JupyterHub.cookie_secret_file = os.path.join(path, "cookie_secret")
c.JupyterHub.authenticator_class = Gateway
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = os.path.join(path, "{username}")
