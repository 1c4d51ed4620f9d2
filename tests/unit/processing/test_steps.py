"""Steps without a hook; those with one are in tests/integration/processing."""

import os
from pathlib import Path

import pytest

from balsam.processing import steps
from balsam.processing.interruption import Interruption
from balsam.processing.steps import hand_back, perform
from balsam.schemas.jobs import StepResult, StepSpec
from balsam.states import STEP_STATES
from balsam.states import JobState as S
from tests.unit.processing.specs import parent_dir, step_spec


def result_of(spec: StepSpec) -> StepResult:
    result = perform(spec, Interruption())
    assert result is not None
    assert (result.job_id, result.from_state) == (spec.job_id, spec.state)
    return result


def test_linking_makes_the_working_directory_and_keeps_what_was_brought_in(tmp_path: Path):
    parent = parent_dir(tmp_path / "parent")
    Path(parent.workdir, "a").write_text("parent's")
    workdir = tmp_path / "data" / "wf" / "job"
    spec = step_spec(workdir, input_files="a", parents=(parent,))
    workdir.mkdir(parents=True)
    (workdir / "a").write_text("a")
    for _ in range(2):
        assert result_of(spec).to_state is S.STAGED_IN
        assert (workdir / "a").read_text() == "a"
        assert sorted(os.listdir(workdir)) == ["a", f"a_{parent.job_id[:8]}"]


def test_notes_of_linking_are_the_message(tmp_path: Path):
    spec = step_spec(tmp_path / "job", input_files="x*", parents=(parent_dir(tmp_path / "parent"),))
    result = result_of(spec)
    assert result.to_state is S.STAGED_IN
    assert result.message == "'x*' matches nothing in any parent"


def test_a_failed_step_fails_the_job_with_the_reason(tmp_path: Path):
    parent = parent_dir(tmp_path / "parent")
    result = result_of(step_spec(tmp_path / "job", input_files="../x", parents=(parent,)))
    assert result.to_state is S.FAILED
    assert "leads out of the working directory" in result.message


@pytest.mark.parametrize("state", [S.READY, S.STAGED_IN, S.RUN_DONE, S.RUN_ERROR, S.RUN_TIMEOUT])
def test_a_job_with_a_problem_fails_with_it(tmp_path: Path, state: S):
    result = result_of(step_spec(tmp_path, state, problem="There is no application named 'x'."))
    assert (result.to_state, result.message) == (S.FAILED, "There is no application named 'x'.")


@pytest.mark.parametrize("state", [S.RUN_ERROR, S.RUN_TIMEOUT])
def test_an_error_that_nothing_handles_fails_the_job(tmp_path: Path, state: S):
    assert result_of(step_spec(tmp_path, state)).to_state is S.FAILED


def test_a_working_directory_that_cannot_be_made_fails_the_job(tmp_path: Path):
    (tmp_path / "file").touch()
    result = result_of(step_spec(tmp_path / "file" / "job"))
    assert result.to_state is S.FAILED
    assert f"Cannot use the working directory {tmp_path}/file/job: not a directory" in result.message


@pytest.mark.parametrize("state", [state for state in S if state not in STEP_STATES])
def test_a_state_without_a_step_fails_the_job(tmp_path: Path, state: S):
    assert "Nothing is to be done" in result_of(step_spec(tmp_path, state)).message


@pytest.mark.parametrize("error", [RuntimeError("surprise"), OSError("surprise"), RecursionError("surprise")])
def test_any_exception_is_contained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception):
    def break_down(*_: object) -> list[str]:
        raise error

    monkeypatch.setattr(steps, "link_parents", break_down)
    result = result_of(step_spec(tmp_path))
    assert result.to_state is S.FAILED
    assert "surprise" in result.message


def test_an_interrupted_step_has_no_result(tmp_path: Path):
    interruption = Interruption()
    interruption.set()
    assert perform(step_spec(tmp_path), interruption) is None


def test_the_message_can_be_stored_whatever_the_file_names(tmp_path: Path):
    workdir = os.fsdecode(os.fsencode(tmp_path) + b"/\xff")
    Path(workdir).touch()
    message = result_of(step_spec(workdir)).message
    assert "\\udcff" in message
    message.encode("utf-8")


def test_handing_back_leads_to_the_same_state(tmp_path: Path):
    result = hand_back(step_spec(tmp_path, S.RUN_DONE), "why")
    assert (result.from_state, result.to_state, result.message) == (S.RUN_DONE, S.RUN_DONE, "why")
