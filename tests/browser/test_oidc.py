"""Sign-in through an OpenID provider, against a small one on this machine."""

import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from annotation_studies import make_study

from evalkit.store import invite, my_votes, open_store

playwright = pytest.importorskip("playwright.sync_api")
jose = pytest.importorskip("joserfc.jwt")
jwk = pytest.importorskip("joserfc.jwk")
pytest.importorskip("authlib")
expect = playwright.expect

CLIENT, SECRET = "evalkit", "a secret of the test's own"


class Provider(ThreadingHTTPServer):
    """Authorises at once whoever `who` names; remembers codes and nonces."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.who = {}
        self.codes = {}
        self.key = jwk.RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self.url = f"http://127.0.0.1:{self.server_port}"


class Answer(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def say(self, document):
        body = json.dumps(document).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        parts, url = urlsplit(self.path), self.server.url
        asked = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path == "/.well-known/openid-configuration":
            self.say(
                {
                    "issuer": url,
                    "authorization_endpoint": f"{url}/authorize",
                    "token_endpoint": f"{url}/token",
                    "jwks_uri": f"{url}/keys",
                    "response_types_supported": ["code"],
                    "subject_types_supported": ["public"],
                    "id_token_signing_alg_values_supported": ["RS256"],
                    "code_challenge_methods_supported": ["S256"],
                }
            )
        elif parts.path == "/keys":
            self.say({"keys": [self.server.key.as_dict(private=False)]})
        elif parts.path == "/authorize":
            code = secrets.token_urlsafe(8)
            self.server.codes[code] = asked["nonce"]
            self.send_response(302)
            back = urlencode({"code": code, "state": asked["state"]})
            self.send_header("location", f"{asked['redirect_uri']}?{back}")
            self.end_headers()

    def do_POST(self):
        form = parse_qs(self.rfile.read(int(self.headers["content-length"])).decode())
        now = int(time.time())
        claims = {
            "iss": self.server.url,
            "aud": CLIENT,
            "sub": self.server.who["email"],
            "nonce": self.server.codes.pop(form["code"][0]),
            "iat": now,
            "exp": now + 600,
            **self.server.who,
        }
        token = jose.encode({"alg": "RS256", "kid": "one"}, claims, self.server.key)
        self.say({"access_token": "x", "token_type": "Bearer", "id_token": token})


@pytest.fixture(scope="module")
def provider():
    made = Provider()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    made = f"sqlite:///{tmp_path_factory.mktemp('db') / 'study.db'}"
    make_study(made, tasks=6)
    return made


@pytest.fixture(scope="module")
def server(url, serve, provider, port):
    return serve(
        url,
        port,
        EVALKIT_OIDC_METADATA_URL=f"{provider.url}/.well-known/openid-configuration",
        EVALKIT_OIDC_CLIENT_ID=CLIENT,
        EVALKIT_OIDC_CLIENT_SECRET=SECRET,
        EVALKIT_OIDC_REDIRECT_URI=f"http://127.0.0.1:{port}/oauth2callback",
        EVALKIT_OIDC_COOKIE_SECRET="thirty-two characters of a secret",
    )


@pytest.fixture
def page(chromium):
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def sign_in(page, server):
    page.goto(server.url)
    page.get_by_role("button", name="Sign in with your organisation").click()


def test_a_known_address_gets_in_and_votes_as_that_person(page, provider, url, server):
    store = open_store(url)
    person, _ = invite(store, "Ann", email="ann@shop.example")
    provider.who = {"email": "Ann@Shop.example", "email_verified": True}
    sign_in(page, server)
    page.wait_for_selector("[data-ek-ready] #ek-task")
    before = page.locator("#ek-task").get_attribute("data-task")
    page.keyboard.press("3")
    page.wait_for_function(
        "before => document.documentElement.dataset.ekReady !== before", arg=before
    )
    assert len(my_votes(store, 1, person)) == 1
    store.close()


def test_an_unknown_address_sees_only_that_it_is_unknown(page, provider, server):
    provider.who = {"email": "stranger@else.example", "email_verified": True}
    sign_in(page, server)
    expect(page.locator("#ek-sign-in")).to_contain_text("stranger@else.example is not known here")
    page.get_by_role("button", name="Use another account").click()
    expect(page.get_by_role("button", name="Sign in with your organisation")).to_be_visible()


def test_an_address_that_was_not_verified_is_nobodys(page, provider, url, server):
    store = open_store(url)
    invite(store, "Ben", email="ben@shop.example")
    store.close()
    provider.who = {"email": "ben@shop.example", "email_verified": False}
    sign_in(page, server)
    expect(page.locator("#ek-sign-in")).to_be_visible()
    expect(page.locator("#ek-task")).to_have_count(0)
