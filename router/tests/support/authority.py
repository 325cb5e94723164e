"""Certificates for tests, self-signed, made on the spot."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["write_pair"]


def write_pair(
    certificate: Path, key: Path, *names: str, common: str = "test", with_san: bool = True, passphrase: bytes | None = None
) -> None:
    """A certificate for `names` and its key; both go into one file where the two paths are the same."""
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    now = datetime.now(timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
    )
    if with_san:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    encryption = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    secret = private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)
    public = builder.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    if certificate == key:
        certificate.write_bytes(secret + public)
    else:
        certificate.write_bytes(public)
        key.write_bytes(secret)
