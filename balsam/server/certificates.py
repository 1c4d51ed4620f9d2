"""Certificates of one's own: an authority for a server, which clients are told to trust, and what it signs.

The authority stays, so that clients need to be told once; what it has signed is made anew in time.
"""

import datetime
import ipaddress
import socket
from collections.abc import Iterable
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from balsam.exceptions import ConfigError
from balsam.lib.atomic import write_atomically

__all__ = ["AUTHORITY", "ensure_certificate"]

_FOLDER = "tls"
#: The file that clients need, and may be seen by all.
AUTHORITY = "ca.pem"
_AUTHORITY_DAYS = 3650
_SERVER_DAYS = 397
_RENEWED_DAYS = 30


def ensure_certificate(db_path: Path, names: Iterable[str]) -> tuple[Path, Path]:
    """Return the files of a certificate for these names and addresses, and of its key; make what is missing.

    The authority is ``ca.pem`` beside them. Raises ConfigError for files that cannot be read.
    """
    folder = db_path / _FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    certificate, key = folder / "server.pem", folder / "server-key.pem"
    wanted = sorted(set(names))
    try:
        authority, authority_key = _authority(folder)
        if not (key.exists() and _is_good(certificate, wanted)):
            _make_server(certificate, key, wanted, authority, authority_key)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"Cannot use the certificates in {folder}: {error}. Move it away.") from error
    return certificate, key


def _authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    certificate, key = folder / AUTHORITY, folder / "ca-key.pem"
    if certificate.exists():
        private = serialization.load_pem_private_key(key.read_bytes(), None)
        if not isinstance(private, ec.EllipticCurvePrivateKey):
            raise ValueError(f"{key} is of another kind")
        return x509.load_pem_x509_certificate(certificate.read_bytes()), private
    private = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"Balsam at {socket.gethostname()}")
    made = (
        _builder(name, name, private, _AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(private, hashes.SHA256())
    )
    _write(key, _pem(private))
    _write(certificate, made.public_bytes(serialization.Encoding.PEM))
    return made, private


def _make_server(
    certificate: Path,
    key: Path,
    names: list[str],
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    made = (
        _builder(_name(names[-1]), authority.subject, private, _SERVER_DAYS)
        .add_extension(x509.SubjectAlternativeName([_general(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(issuer, critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    _write(key, _pem(private))
    _write(certificate, made.public_bytes(serialization.Encoding.PEM))


def _is_good(certificate: Path, names: list[str]) -> bool:
    if not certificate.exists():
        return False
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    renewed = found.not_valid_after_utc - datetime.timedelta(days=_RENEWED_DAYS)
    told = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(told) == {_general(name) for name in names} and datetime.datetime.now(datetime.UTC) < renewed


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _builder(
    subject: x509.Name, issuer: x509.Name, private: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(private: ec.EllipticCurvePrivateKey) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, pem: bytes) -> None:
    write_atomically(path, pem.decode(), mode=0o600)
