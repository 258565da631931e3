"""Who may use the page: whoever came with the card's password, by a cookie, and only from the page itself."""
import hmac
import secrets
import urllib.parse

HEADER, VALUE = "x-requested-with", "multitenant-chat"


class Gate:
    """`headers` have a `get`, by names in lower case."""

    def __init__(self, password, path, name):
        self.password = password.encode()
        self.path = path
        self.token = secrets.token_urlsafe(32)
        self.name = "multitenant_chat_" + name

    def admit(self, form, headers):
        """The cookie for who sent this form, or None."""
        given = urllib.parse.parse_qs(form.decode("utf-8", "replace")).get("password", [""])[0]
        if not hmac.compare_digest(given.encode(), self.password):
            return None
        secure = "; Secure" if headers.get("x-forwarded-proto") == "https" else ""
        return "{}={}; Path={}; HttpOnly; SameSite=Strict{}".format(self.name, self.token, self.path, secure)

    def knows(self, headers):
        """Whether the cookie is right. Others' cookies may be of any form."""
        pairs = (pair.strip().partition("=") for pair in (headers.get("cookie") or "").split(";"))
        return any(name == self.name and hmac.compare_digest(value.encode("utf-8", "replace"), self.token.encode())
                   for name, _, value in pairs)

    def from_page(self, headers):
        """Whether the page itself asks, and not another site's in the same browser."""
        return headers.get(HEADER) == VALUE and same_origin(headers)


def same_origin(headers):
    if headers.get("sec-fetch-site"):
        return headers.get("sec-fetch-site") == "same-origin"
    hosts = [headers.get("host")] + [host.strip() for host in (headers.get("x-forwarded-host") or "").split(",")]
    origin = headers.get("origin")
    try:
        return not origin or urllib.parse.urlsplit(origin).netloc in hosts
    except ValueError:
        return False
