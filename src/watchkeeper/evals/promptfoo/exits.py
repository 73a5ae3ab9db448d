"""promptfoo's exit codes: by the share of tests that passed, errors counted against it."""

import math
from collections.abc import Mapping
from typing import Any

PASSED = 0
FAILED = 100
OTHER_ERRORS = 1
PASS_RATE_PERCENT = 100.0


def exit_code(stats: Mapping[str, Any], env: Mapping[str, str]) -> int:
    """Return the code for a run's `stats`.

    It is 0 where the pass rate reaches PROMPTFOO_PASS_RATE_THRESHOLD (percent, 100 without it), else
    PROMPTFOO_FAILED_TEST_EXIT_CODE (100 without it). With no result at all it has not failed, as in promptfoo; but
    a run that the filters leave empty is refused before it comes to that.
    """
    total = stats["successes"] + stats["failures"] + stats["errors"]
    threshold = _number(env.get("PROMPTFOO_PASS_RATE_THRESHOLD"), PASS_RATE_PERCENT)
    if not total or stats["successes"] / total * 100 >= threshold:
        return PASSED
    code = _number(env.get("PROMPTFOO_FAILED_TEST_EXIT_CODE"), float(FAILED))
    return int(code)


def _number(text: str | None, otherwise: float) -> float:
    try:
        value = float(text) if text else otherwise
    except ValueError:
        return otherwise
    return value if math.isfinite(value) else otherwise
