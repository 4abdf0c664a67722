"""Credentials never reach a screen, a log or a report: every URL is shown through `redact`."""

import re

_URL = re.compile(r"[A-Za-z][\w+.-]*://\S+")
# An empty host, as in sqlite:////home/me@work/mlflow.db, has no user: an @ there belongs to a file.
_USER = re.compile(r"(?<=://)[^\s/]\S*@")
_QUERY = re.compile(r"[?#].*")
_QUERY_VALUE = re.compile(r"(?<==)[^&;#]+")


def redact(text: str) -> str:
    """Hide user, password and every query value of the URLs in a text.

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
    return _URL.sub(lambda url: _QUERY.sub(_hide_values, _USER.sub("***@", url[0])), text)


def _hide_values(query: re.Match[str]) -> str:
    return _QUERY_VALUE.sub("***", query[0])
