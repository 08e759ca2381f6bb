"""A small OpenID Connect provider in a process of its own: `python -m tests.site.openid_provider`.

It prints its port. Whoever opens /authorize is the person whose claims were last posted to /claims.
"""

import base64
import hashlib
import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT = {"client_id": "butler", "client_secret": "not-a-real-one"}
KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class Provider(BaseHTTPRequestHandler):
    """Discovery, authorization code with PKCE, tokens, userinfo."""

    claims: dict[str, object] = {}
    codes: dict[str, dict[str, str]] = {}

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def log_message(self, *said: object) -> None:
        return

    def _answer(self, value: object, status: int = 200) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(address.query).items()}
        if address.path == "/.well-known/openid-configuration":
            names = ("authorization", "token", "userinfo")
            found = {f"{name}_endpoint": f"{self.issuer}/{name}" for name in names}
            methods = {"token_endpoint_auth_methods_supported": ["client_secret_post"]}
            self._answer(
                {"issuer": self.issuer, "jwks_uri": f"{self.issuer}/jwks"} | found | methods
            )
        elif address.path == "/authorization":
            code = hashlib.sha256(self.path.encode()).hexdigest()
            self.codes[code] = query
            answer = urlencode({"code": code, "state": query["state"]})
            self.send_response(302)
            self.send_header("Location", f"{query['redirect_uri']}?{answer}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif address.path == "/userinfo":
            self._answer(self.claims)
        else:
            self._answer({}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        if self.path == "/claims":
            type(self).claims = json.loads(body)
            self._answer({})
            return
        form = {name: values[0] for name, values in parse_qs(body).items()}
        asked = self.codes.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "").encode()
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier).digest()).rstrip(b"=")
        right = asked and asked["code_challenge"] == challenge.decode()
        if not right or any(form.get(name) != value for name, value in CLIENT.items()):
            self._answer({"error": "invalid_grant"}, 400)
            return
        claims = {"iss": self.issuer, "aud": "butler", "iat": time.time(), "exp": time.time() + 60}
        token = jwt.encode({"sub": "1"} | self.claims | claims, KEY, "RS256", {"kid": "1"})
        self._answer({"access_token": "x", "token_type": "Bearer", "id_token": token})


if __name__ == "__main__":
    with ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        print(server.server_port, flush=True)  # noqa: T201
        server.serve_forever()
