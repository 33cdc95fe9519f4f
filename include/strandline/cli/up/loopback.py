"""HTTP with what runs on this machine, past any proxy that the environment names."""

import json
import os
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

HOST: Final = "127.0.0.1"
_LOCAL: Final = f"localhost,{HOST}"


def ask(port: int, method: str, path: str, body: object = None, *, token: str = "") -> tuple[int, Any]:
    """Status and JSON; OSError when nobody answers as they should."""
    headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
    connection = HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    except (HTTPException, ValueError) as error:
        raise OSError(f"{method} {path} on port {port}: {error!r}") from error
    finally:
        connection.close()


def without_proxy() -> dict[str, str]:
    """For an environment: this machine is reached directly, besides what is reached so already."""
    before = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    both = f"{before},{_LOCAL}" if before else _LOCAL
    return {"no_proxy": both, "NO_PROXY": both}
