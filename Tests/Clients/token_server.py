"""A token service for a registry with token authentication: token_server.py KEY CERTIFICATE

Gives whoever logs in as `reader` or `writer` (password `open sesame`) a token for what is asked; a reader only pulls.
Prints its address, then serves. Signing is left to openssl.
"""

import base64
import http.server
import json
import subprocess
import sys
import time
import urllib.parse

KEY, CERTIFICATE = sys.argv[1], sys.argv[2]
DER = base64.b64encode(
    subprocess.run(["openssl", "x509", "-in", CERTIFICATE, "-outform", "DER"], check=True, capture_output=True).stdout)
ALLOWED = {"reader": ["pull"], "writer": ["pull", "push"]}


def encoded(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def token(user, service, scopes):
    access = []
    for scope in scopes:
        kind, name, actions = scope.split(":", 2)
        access.append({"type": kind, "name": name, "actions": [a for a in actions.split(",") if a in ALLOWED[user]]})
    now = int(time.time())
    claims = {"iss": "tests", "sub": user, "aud": service, "nbf": now - 60, "iat": now, "exp": now + 300, "jti": "1",
              "access": access}
    head = {"typ": "JWT", "alg": "RS256", "x5c": [DER.decode()]}
    text = b".".join(encoded(json.dumps(part).encode()) for part in (head, claims))
    signed = subprocess.run(["openssl", "dgst", "-sha256", "-sign", KEY], input=text, check=True, capture_output=True)
    return (text + b"." + encoded(signed.stdout)).decode()


class Service(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def do_GET(self):
        scheme, _, pair = (self.headers.get("Authorization") or "").partition(" ")
        user, _, password = base64.b64decode(pair).decode().partition(":")
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        if scheme == "Basic" and user in ALLOWED and password == "open sesame":
            scopes = [s for value in query.get("scope", []) for s in value.split(" ")]
            status, answer = 200, {"token": token(user, query["service"][0], scopes), "expires_in": 300}
        else:
            status, answer = 401, {"errors": [{"code": "UNAUTHORIZED", "message": "no such login"}]}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
print(f"serving on 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
