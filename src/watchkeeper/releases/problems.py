"""What can be wrong when a prompt is rendered."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TemplateProblem(Exception):
    """A template cannot be used, or cannot be rendered with these variables."""

    message: str
    line: int | None = None
    """From 1; None where it is not about a line."""

    def __str__(self) -> str:
        return self.message if self.line is None else f"line {self.line}: {self.message}"


class VariableProblem(Exception):
    """A variable is missing, not known, or not of its type."""

    def __init__(self, name: str, message: str) -> None:
        """Name the variable, and what is wrong with it as a sentence."""
        super().__init__(message)
        self.name = name
