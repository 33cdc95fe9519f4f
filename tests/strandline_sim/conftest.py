"""Nothing here speaks TLS, and loading the machine's certificates takes a client longer than most of the tests."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def _without_certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("no-certificates")))
        patch.delenv("SSL_CERT_FILE", raising=False)
        yield
