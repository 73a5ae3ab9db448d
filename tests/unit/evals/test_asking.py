"""What the gateway answers is read, whatever it is."""

import httpx
import msgspec
import pytest

from watchkeeper.evals.asking import read_reply

HUGE = "9" * 400


@pytest.mark.parametrize("count", ["-1", "1.5", "true", '"7"', "null", HUGE, str(2**64)])
def test_what_is_no_count_is_not_known_and_ends_no_run(count: str) -> None:
    content = (
        f'{{"choices": [{{"message": {{"content": "x"}}, "logprobs": {{"content": [{{"logprob": {HUGE}}},'
        f' {{"logprob": -0.5}}]}}}}], "usage": {{"prompt_tokens": {count}, "completion_tokens": 3}}}}'
    )
    answer = read_reply(httpx.Response(200, content=content.encode()), latency_ms=1.0)
    assert (answer.text, answer.input_tokens, answer.output_tokens, answer.logprobs) == ("x", None, 3, (-0.5,))
    assert msgspec.json.encode(answer)
