"""Keeps clients from loading the machine's certificates, which is slow: nothing here uses TLS."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def _without_certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("no-certificates")))
        patch.delenv("SSL_CERT_FILE", raising=False)
        yield
