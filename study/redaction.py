"""Credentials never reach a screen, a log or a report: every URL is shown through `redact`."""

import re

_URL = re.compile(r"[\w+.-]*://\S+")
_FILES = "sqlite"
"""Scheme of files: after an empty host, as in sqlite:////home/me@work/mlflow.db, an @ is one of the path."""
_QUERY = re.compile(r"([?#])[^=]*=.*")


def redact(text: str) -> str:
    """Hide user, password, and the query and the fragment of the URLs in a text where these give values.

    Parameters
    ----------
    text : str
        The URL of a database or a server, or a text with URLs in it, such as an error message.

    Returns
    -------
    str
        The text with `***` for what may be secret. A character that could belong to a password or to
        a path is taken to belong to the password.
    """
    return _URL.sub(_redacted, text)


def _redacted(url: re.Match[str]) -> str:
    scheme, mark, rest = url[0].partition("://")
    query = _QUERY.search(rest)
    if query and "@" in query[0]:  # a query with an @ in it, or a user's password with a question mark
        return f"{scheme}{mark}***"
    if not (scheme.partition("+")[0] == _FILES and rest.startswith("/")):
        _, at, host = rest.rpartition("@")
        rest = f"***@{host}" if at else rest
    return scheme + mark + _QUERY.sub(r"\1***", rest)
