"""What a request may say: a name that is not known is refused, with the nearest one that is."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from watchkeeper.config.problems import did_you_mean


class Strict(BaseModel):
    """The query or the body of a request."""

    # What was refused is not repeated: it may be a password.
    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def _knows_every_name(cls, given: Any) -> Any:
        if isinstance(given, dict):
            known = list(cls.model_fields)
            unknown = [str(name)[:50] for name in given if name not in cls.model_fields]
            if unknown:
                named = ", ".join(f"`{name}` is not known{did_you_mean(name, known)}" for name in unknown)
                raise ValueError(named.rstrip("?") + ("?" if named.endswith("?") else ""))
        return given
