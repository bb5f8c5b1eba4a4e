"""Tests of whom this machine trusts."""

import ssl

from gridloom.tls import trusted
from tests.fixtures.certificates import write_certificate


def names(context):
    return [dict(part[0] for part in it["subject"]).get("commonName") for it in context.get_ca_certs()]


def test_public_authorities_are_trusted_and_names_checked(monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    context = trusted()
    assert len(context.get_ca_certs()) > 50
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_an_authority_of_ones_own_is_trusted(monkeypatch, tmp_path):
    certificate, _ = write_certificate(tmp_path, "fabric.test")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert names(trusted()) == ["fabric.test"]
