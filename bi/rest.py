"""Superset's REST API, as far as the check needs it."""

from __future__ import annotations

import http.cookiejar
import json
import secrets
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

from server import Server


class ApiError(Exception):
    """An answer of the API that is not the one hoped for."""


class Api:
    """A session with Superset's REST API."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._token: str | None = None
        login = {"username": server.user, "password": server.password, "provider": "db"}
        self._token = self._json("security/login", login)["access_token"]

    def import_dashboard(self, archive: bytes) -> None:
        """Import a bundle as the page Dashboards does; what is there already is replaced."""
        boundary = secrets.token_hex(16)
        head = (
            f"--{boundary}\r\n"
            'Content-Disposition: form-data; name="overwrite"\r\n\r\ntrue\r\n'
            f"--{boundary}\r\n"
            'Content-Disposition: form-data; name="formData"; filename="segql.zip"\r\n'
            "Content-Type: application/zip\r\n\r\n"
        )
        body = head.encode() + archive + f"\r\n--{boundary}--\r\n".encode()
        self._ask("dashboard/import/", body, f"multipart/form-data; boundary={boundary}")

    def charts(self) -> list[dict[str, Any]]:
        """List the charts: id and name."""
        found = self._json("chart/?q=(columns:!(id,slice_name),page_size:200)")["result"]
        return [dict(chart) for chart in found]

    def chart_data(self, chart: int) -> list[dict[str, Any]]:
        """Fetch the rows that a chart shows."""
        [answer] = self._json(f"chart/{chart}/data/?force=true")["result"]
        if answer.get("error"):
            raise ApiError(str(answer["error"]))
        return [dict(row) for row in answer["data"]]

    def session_cookie(self) -> str:
        """Log in as a browser does, and return the cookie that says so."""
        jar = http.cookiejar.CookieJar()
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        form = {"username": self._server.user, "password": self._server.password}
        body = urllib.parse.urlencode(form).encode()
        opener.open(f"{self._server.url}/login/", body, timeout=60).close()
        cookies = {cookie.name: cookie.value for cookie in jar}
        if not cookies.get("session"):
            raise ApiError("the login page gave no session")
        return str(cookies["session"])

    def _json(self, path: str, content: dict[str, Any] | None = None) -> Any:
        body = None if content is None else json.dumps(content).encode()
        return json.loads(self._ask(path, body, "application/json"))

    def _ask(self, path: str, body: bytes | None, content_type: str) -> bytes:
        request = urllib.request.Request(f"{self._server.url}/api/v1/{path}", data=body)
        if body is not None:
            request.add_header("Content-Type", content_type)
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return bytes(answer.read())
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            raise ApiError(f"{path}: {error.code} {text[:2000]}") from error
