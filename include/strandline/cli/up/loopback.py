"""HTTP with what runs on this machine, past any proxy that the environment names."""

import json
import os
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

HOST: Final = "127.0.0.1"
_LOCAL: Final = f"localhost,{HOST}"
_TIMEOUT_SECONDS: Final = 5


def request(port: int, method: str, path: str, body: object = None, *, token: str = "") -> tuple[int, Any]:
    """Return status and JSON, None where an error is no JSON; OSError if HTTP itself fails."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    connection = HTTPConnection(HOST, port, timeout=_TIMEOUT_SECONDS)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        response = connection.getresponse()
        content = response.read()
    except HTTPException as error:
        raise OSError(f"{method} {path} on port {port}: {error!r}") from error
    finally:
        connection.close()
    try:
        return response.status, json.loads(content or b"null")
    except ValueError as error:
        if response.status >= 400:  # the status says what is to be known
            return response.status, content.decode(errors="replace")
        raise OSError(f"{method} {path} on port {port}: the response is no JSON") from error


def without_proxy() -> dict[str, str]:
    """Return environment variables by which this machine is reached directly, besides what is reached so already."""
    before = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    both = f"{before},{_LOCAL}" if before else _LOCAL
    return {"no_proxy": both, "NO_PROXY": both}
