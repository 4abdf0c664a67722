"""URLs that nobody would write: taken, or refused in one sentence, and no password is ever in it."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.errors import InputError
from study.redaction import redact
from study.urls import check_storage_url, check_tracking_uri

SHORT = 300
LONG = 20 * SHORT
MARK = "Ω"
"""A letter that is in a password and nowhere else, so that any part of it would show."""

ODD = st.text(st.sampled_from("ab1%20:/?#@&=;[]\\'\"` \t\n\x00\x1b\u2028é🙂$-_.~+"), max_size=8) | st.text(
    st.characters(codec="utf-8", exclude_characters=MARK), max_size=8
)
SECRETS = ODD.map(lambda text: f"{MARK}{text}{MARK}")
SCHEMES = st.sampled_from(
    [
        "http", "https", "sqlite", "postgresql", "postgresql+psycopg", "mysql", "mysql+pymysql",
        "mssql+pyodbc", "oracle", "file", "ftp", "databricks", "HTTP", "postgresql+", "+", "",
    ]
)  # fmt: skip
HOSTS = st.sampled_from(["host", "host:5432", "[::1]:80", "host:99999", "host:x", "[", "", "a b"]) | ODD
SHAPES = st.sampled_from(
    [
        "{scheme}://{user}:{secret}@{host}/{path}",
        "{scheme}://:{secret}@{host}",
        "{scheme}://{secret}@{host}/{path}",
        "{scheme}://{host}/{path}?password={secret}",
        "{scheme}://{host}/db?user={user}&password={secret}&sslmode=require",
        "{scheme}://{user}:{secret}@{host}/db?{path}",
        "{scheme}://{host}/#token={secret}",
        "{scheme}:{user}:{secret}@{host}",
        "{scheme}:/{user}:{secret}@{host}/{path}",
        "{user}:{secret}@{host}",
    ]
)
URLS = st.builds(
    lambda shape, **parts: shape.format(**parts),
    SHAPES,
    scheme=SCHEMES,
    user=ODD,
    secret=SECRETS,
    host=HOSTS,
    path=ODD,
)


def any_url(check: Callable[[str], None], examples: int) -> None:
    @settings(max_examples=examples, deadline=None, derandomize=True)
    @given(URLS)
    def one(url: str) -> None:
        try:
            check(url)
        except InputError as error:
            message = str(error)
            assert url.startswith("sqlite") or MARK not in message, message
            assert message.isprintable(), message
            assert message.endswith("."), message
            return
        if not url.startswith(("sqlite", "file")):  # they have paths and no passwords
            assert MARK not in redact(url), url
            assert MARK not in redact(f"could not connect to {url}: refused"), url

    one()


CHECKS = [check_tracking_uri, check_storage_url]


@pytest.mark.parametrize("check", CHECKS)
def test_any_url_is_taken_or_refused_without_its_password(check: Callable[[str], None]) -> None:
    any_url(check, SHORT)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("check", CHECKS)
def test_many_urls_are_taken_or_refused_without_their_passwords(check: Callable[[str], None]) -> None:
    any_url(check, LONG)
