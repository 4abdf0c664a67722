"""Nothing of a credential survives, and what is no credential stays readable."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.redaction import redact

SAME = [
    "http://localhost:5000",
    "http://localhost:5000/path/to#/experiments/1",
    "sqlite:///mlflow.db",
    "sqlite:////home/me@work/runs/mlflow.db",
    "postgresql+psycopg://host:5432/mlflow",
    "no URL in here, me@example.org neither",
    "",
]

HIDDEN = [
    ("postgresql://me:secret@host/db", "postgresql://***@host/db"),
    ("postgresql://me@host/db", "postgresql://***@host/db"),
    ("postgresql+psycopg2://me:s/e:c?r#e@t@host:5432/db", "postgresql+psycopg2://***@host:5432/db"),
    ("http://:token@host", "http://***@host"),
    ("https://host/path?token=abc&user=me", "https://host/path?***"),
    ("postgresql://host/db?password=a@b", "postgresql://***"),
    ("postgresql://me:a?b=c@host/db", "postgresql://***"),
    ("sqlite:///mlflow.db?key=abc", "sqlite:///mlflow.db?***"),
    ("http://host/#access_token=abc;more=d", "http://host/#***"),
    ("http://host/db?password=a&b;c#d", "http://host/db?***"),  # may be one password
    ("postgresql:///me:secret@host/db", "postgresql://***@host/db"),  # may be a user that begins with a slash
    ("://me:secret@host", "://***@host"),
    ("could not open postgresql://a:b@c/d: refused", "could not open postgresql://***@c/d: refused"),
    ("from http://a:b@c to http://d:e@f.", "from http://***@c to http://***@f."),
    ("http://a:b@c\nhttp://d:e@f", "http://***@c\nhttp://***@f"),
]


@pytest.mark.parametrize("text", SAME)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(("text", "shown"), HIDDEN)
def test_user_password_and_query_values_are_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_hiding_twice_changes_nothing_more() -> None:
    for text, shown in HIDDEN:
        assert redact(redact(text)) == shown


NO_SPACE = st.text(alphabet=string.ascii_letters + string.digits + string.punctuation, max_size=20)


@given(user=NO_SPACE.map("u".__add__), password=NO_SPACE, before=st.sampled_from(["", "error: ", "a@b "]))
def test_no_password_without_white_space_survives(user: str, password: str, before: str) -> None:
    """The password is marked by letters that occur nowhere else, so that any part of it would show."""
    secret = f"\u03a9{password}\u03a9"
    shown = redact(f"{before}postgresql://{user}:{secret}@host:5432/db and more")
    assert "\u03a9" not in shown
    assert shown in [f"{before}postgresql://***{host} and more" for host in ("@host:5432/db", "")]
