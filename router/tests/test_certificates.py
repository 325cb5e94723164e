"""Which certificate a client gets: by name, by wildcard, by default; files that change; files that cannot be used."""

import os
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from portico.certificates import BadCertificates, Certificates

from .support.authority import write_pair


def shown(certificates: Certificates, name: str | None) -> str:
    """The common name in the certificate that a client gets which asks for `name`, by a real handshake."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = certificates.default.wrap_bio(to_server, to_client, server_side=True)
    for step in (ours, theirs, ours, theirs):
        try:
            step.do_handshake()
        except ssl.SSLWantReadError:
            continue
    found = ours.getpeercert(binary_form=True)
    assert found is not None
    return str(x509.load_der_x509_certificate(found).subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def pair(folder: Path, name: str, *names: str, common: str | None = None, end: str = ".crt") -> None:
    write_pair(folder / f"{name}{end}", folder / f"{name}.key", *names, common=common or name)


@pytest.fixture
def several(tmp_path: Path) -> Path:
    pair(tmp_path, "b-exact", "a.example", "Other.Example")
    pair(tmp_path, "a-first", "first.example")
    pair(tmp_path, "c-wild", "*.example", "*.deep.example")
    return tmp_path


# -- choosing


def test_one_file_with_the_key_inside(tmp_path: Path) -> None:
    file = tmp_path / "both.pem"
    write_pair(file, file, "one.example", common="one")
    certificates = Certificates(file, None)
    assert [shown(certificates, name) for name in ("one.example", "else.example", None)] == ["one"] * 3


def test_a_file_and_its_key(tmp_path: Path) -> None:
    pair(tmp_path, "one", "one.example")
    assert shown(Certificates(tmp_path / "one.crt", tmp_path / "one.key"), "one.example") == "one"


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("a.example", "b-exact"),  # exact before wildcard
        ("A.EXAMPLE", "b-exact"),
        ("other.example", "b-exact"),
        ("first.example", "a-first"),
        ("x.example", "c-wild"),
        ("x.deep.example", "c-wild"),
        ("x.y.example", "a-first"),  # one label, and no more
        ("example", "a-first"),
        ("nobody.test", "a-first"),
        (None, "a-first"),  # the first by file name
    ],
)
def test_by_the_name_that_is_asked_for(several: Path, asked: str | None, expected: str) -> None:
    assert shown(Certificates(several, None), asked) == expected


def test_a_dot_at_the_end_says_nothing(several: Path) -> None:
    certificates = Certificates(several, None)
    assert certificates.context_for("x.example.") is certificates.context_for("x.example")
    assert certificates.context_for("x.example.") is not certificates.default
    assert certificates.context_for("") is certificates.default


def test_of_two_for_one_name_the_first_by_file_name(tmp_path: Path) -> None:
    pair(tmp_path, "2", "a.example")
    pair(tmp_path, "1", "z.example")
    pair(tmp_path, "3", "a.example")
    assert shown(Certificates(tmp_path, None), "a.example") == "2"


def test_without_alternative_names_the_common_name_counts(tmp_path: Path) -> None:
    pair(tmp_path, "1", "first.example")
    write_pair(tmp_path / "2.crt", tmp_path / "2.key", common="Common.Example", with_san=False)
    assert shown(Certificates(tmp_path, None), "common.example") == "Common.Example"


def test_a_folder_with_the_key_in_a_file_and_other_files(tmp_path: Path) -> None:
    write_pair(tmp_path / "a.pem", tmp_path / "a.pem", "a.example", common="a")
    pair(tmp_path, "b", "b.example", end=".pem")
    (tmp_path / "README").write_text("not a certificate")
    certificates = Certificates(tmp_path, None)
    assert (shown(certificates, "a.example"), shown(certificates, "b.example")) == ("a", "b")


def test_what_every_context_has(several: Path) -> None:
    certificates = Certificates(several, None)
    for name in ("a.example", "x.example", None):
        context = certificates.context_for(name)
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
        assert context.options & ssl.OP_NO_RENEGOTIATION
        assert context.options & ssl.OP_NO_COMPRESSION


# -- files that change


def touch(path: Path) -> None:
    """Certainly another time, however coarse the file system's clock is."""
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000_000))


def test_changed_files_are_read_again(several: Path) -> None:
    certificates = Certificates(several, None)
    pair(several, "b-exact", "a.example", common="renewed")
    touch(several / "b-exact.crt")
    assert shown(certificates, "a.example") == "b-exact"  # not before somebody looks
    certificates.refresh()
    assert shown(certificates, "a.example") == "renewed"
    assert shown(certificates, "other.example") == "c-wild"


def test_files_that_come_and_go(several: Path) -> None:
    certificates = Certificates(several, None)
    pair(several, "0", "new.example")
    certificates.refresh()
    assert (shown(certificates, "new.example"), shown(certificates, None)) == ("0", "0")
    for name in ("0.crt", "0.key"):
        (several / name).unlink()
    certificates.refresh()
    assert (shown(certificates, "new.example"), shown(certificates, None)) == ("c-wild", "a-first")


def test_files_that_have_not_changed_are_not_read(several: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificates = Certificates(several, None)
    monkeypatch.setattr(certificates, "_load", lambda: pytest.fail("read again"))
    certificates.refresh()


def test_bad_files_leave_what_was_there_until_they_are_mended(several: Path) -> None:
    certificates = Certificates(several, None)
    good = (several / "a-first.crt").read_bytes()
    (several / "a-first.crt").write_text("half of a certif")
    certificates.refresh()
    assert shown(certificates, "first.example") == "a-first"
    assert shown(certificates, "a.example") == "b-exact"
    (several / "a-first.crt").write_bytes(good)
    touch(several / "a-first.crt")
    pair(several, "b-exact", "a.example", common="renewed")
    certificates.refresh()
    assert shown(certificates, "a.example") == "renewed"


def test_a_folder_that_goes_away_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "certificates"
    folder.mkdir()
    pair(folder, "a", "a.example")
    certificates = Certificates(folder, None)
    folder.rename(tmp_path / "elsewhere")
    certificates.refresh()
    assert shown(certificates, "a.example") == "a"
    (tmp_path / "elsewhere").rename(folder)

    def gone(path: Path) -> object:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(Path, "iterdir", gone)
    certificates.refresh()  # whatever the file system says: nothing may escape, it would end the looking
    assert shown(certificates, "a.example") == "a"


# -- what cannot be used


def refused(certificate: Path, key: Path | None = None) -> str:
    with pytest.raises(BadCertificates) as caught:
        Certificates(certificate, key)
    return str(caught.value)


def test_nothing_there(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.pem") == f"{tmp_path}/none.pem: no such file or folder"
    assert refused(tmp_path) == f"{tmp_path}: no *.crt or *.pem in this folder"


def test_no_certificate_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "text.pem"
    file.write_text("hello")
    assert refused(file).startswith(f"{file}: ")


def test_no_key(tmp_path: Path) -> None:
    pair(tmp_path, "a", "a.example")
    (tmp_path / "a.key").unlink()
    assert refused(tmp_path / "a.crt").startswith(f"{tmp_path}/a.crt: ")
    assert refused(tmp_path / "a.crt", tmp_path / "a.key") == (
        f"{tmp_path}/a.crt with key {tmp_path}/a.key: No such file or directory"
    )
    assert refused(tmp_path).startswith(f"{tmp_path}/a.crt: ")


def test_a_key_that_is_not_its_own(tmp_path: Path) -> None:
    pair(tmp_path, "a", "a.example")
    pair(tmp_path, "b", "b.example")
    assert refused(tmp_path / "a.crt", tmp_path / "b.key").startswith(f"{tmp_path}/a.crt with key {tmp_path}/b.key: ")


def test_a_key_with_a_passphrase_is_refused_and_nobody_is_asked(tmp_path: Path) -> None:
    write_pair(tmp_path / "a.crt", tmp_path / "a.key", "a.example", passphrase=b"secret")
    assert refused(tmp_path / "a.crt", tmp_path / "a.key").startswith(f"{tmp_path}/a.crt with key {tmp_path}/a.key: ")


def test_one_bad_file_in_a_folder_is_named(several: Path) -> None:
    (several / "b-exact.key").write_text("nonsense")
    assert refused(several).startswith(f"{several}/b-exact.crt with key {several}/b-exact.key: ")
