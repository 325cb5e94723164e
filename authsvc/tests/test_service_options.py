"""What an auth service may be told by its settings, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest
from authsvc.options import Options
from authsvc.service import make_service
from svckit.settings import BadOptions, Settings
from twisted.application.service import IService

from .support.settings import settings_in


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"reallm": "x"}, "unknown option 'reallm'"),
        ({"realm": ""}, "realm"),
        ({"realm": "r" * 256}, "realm"),
        ({"hash_threads": "0"}, "hash_threads"),
        ({"hash_threads": "many"}, "hash_threads"),
        ({"hash_queue": "-1"}, "hash_queue"),
        ({"nonce_lifetime": "0"}, "nonce_lifetime"),
        ({"account_time": "-1"}, "account_time"),
        ({"user_tries": "0"}, "user_tries"),
        ({"address_pause": "0"}, "address_pause"),
        ({"digest_algorithms": ""}, "digest_algorithms is one or more of SHA-256, MD5"),
        ({"digest_algorithms": "MD5,MD5"}, "digest_algorithms"),
        ({"digest_algorithms": "MD5,SHA"}, "digest_algorithms"),
        ({"schemes": ""}, "schemes is one or more of digest, basic"),
        ({"schemes": "digest,digest"}, "schemes"),
        ({"schemes": "bearer"}, "schemes"),
        ({"nonce_bound": "perhaps"}, "nonce_bound"),
        ({"database_threads": "0"}, "database_threads"),
        ({"database_queue": "0"}, "database_queue"),
        ({"database": "postgresql:///x", "database_file": "x"}, "only one"),
    ],
)
def test_wrong_options(tmp_path: Path, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadOptions, match=reason):
        make_service(settings_in(tmp_path, **options), None)


def test_options_may_be_strings_of_an_environment(tmp_path: Path) -> None:
    made: Any = make_service(settings_in(tmp_path, nonce_lifetime="12.5", hash_threads="3", realm="site"), None)
    assert made._options == Options(nonce_lifetime=12.5, hash_threads=3, realm="site")
    assert IService.providedBy(made)
    assert made.name == "authsvc"


def test_without_an_auth_folder_nobody_could_ask(tmp_path: Path) -> None:
    with pytest.raises(BadOptions, match="auth folder"):
        make_service(Settings(service="authsvc", replica="one", state=tmp_path), None)
