"""A suite with real answers: two releases of a feature, asked of the bundled model, held against each other."""

from pathlib import Path

from bench.real_suite import Arm, account, compare_all, config, run_arms, suite_in

from watchkeeper.evals.suite_files import read_suite
from watchkeeper.testing.harness import Installation

CASES = 8


def test_a_suite_of_real_answers_is_run_gated_and_reported(tmp_path: Path) -> None:
    arms = [Arm("plain", 0.0), Arm("shown", 0.0)]
    suite = suite_in(tmp_path / "quiz", first=CASES)
    with Installation(tmp_path / "installation", config()) as running:
        plain, shown = run_arms(running, suite, arms, tmp_path)
        [pair] = compare_all(running, [plain, shown])
        answered = running.cli_json("eval", "show", shown.id, "--case", "capital-france")["outcomes"]

    for ran in (plain, shown):
        assert sum(ran.counts.values()) == CASES and "unmeasured" not in ran.counts
        assert ran.cost == "$0 (measured)"
    assert plain.release != shown.release
    assert answered[0]["answer"]["release"] == shown.release and answered[0]["answer"]["output_tokens"] <= 24

    # Eight cases cannot show that nothing is worse by five points, whatever the model says.
    assert plain.exit_code == shown.exit_code == 4
    assert (pair.primary["verdict"], pair.decision["result"]) == ("cannot tell", "inconclusive")
    assert pair.primary["cases"] == CASES
    assert len(account([plain, shown], [pair])) == 3

    for arm in arms:
        assert "<html" in (tmp_path / f"{arm.title}.html").read_text()
        assert "Cannot tell" in (tmp_path / f"{arm.title}.md").read_text()


def test_the_whole_suite_has_more_than_a_hundred_cases_of_four_kinds(tmp_path: Path) -> None:
    cases = read_suite(suite_in(tmp_path / "quiz")).cases
    assert len(cases) > 100
    assert {tag for case in cases for tag in case.tags} == {"facts", "arithmetic", "format", "short"}
    assert all(case.reference for case in cases)
