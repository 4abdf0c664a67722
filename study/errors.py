"""The two ways in which the tool says no."""


class InputError(Exception):
    """The user's input is wrong; nothing was started, nothing was written.

    The message is one sentence with the rule, the value received and the likely fix. The command
    line prints it and exits with 2.
    """


class RunError(Exception):
    """The input was right and the run failed. The command line prints the message and exits with 1."""
