"""The roles there are. What each permits is told in `access.roles`."""

from typing import Literal

Role = Literal["viewer", "author", "approver", "operator", "cost_owner", "auditor", "admin"]
