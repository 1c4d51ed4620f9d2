"""Hooks as real processes, without a database."""

import os
import sys
import threading
from pathlib import Path

import psutil
import pytest

from balsam.lib.processes import orphans_of
from balsam.processing.interruption import Interruption
from balsam.processing.steps import perform
from balsam.schemas.jobs import StepResult
from balsam.states import JobState as S
from tests.launching import script
from tests.unit.processing.specs import step_spec
from tests.waiting import wait_until


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    return tmp_path / "data" / "job"


def preprocess(workdir: Path, command: object, **fields: object) -> StepResult:
    spec = step_spec(workdir, S.STAGED_IN, preprocess=str(command), **fields)
    result = perform(spec, Interruption())
    assert result is not None
    return result


def body(workdir: Path, log: str = "preprocess.log") -> str:
    """What the hook itself has printed."""
    return "".join(line for line in (workdir / log).read_text().splitlines(True) if not line.startswith("# "))


def test_a_hook_runs_in_the_working_directory_and_its_log_names_job_and_script(tmp_path, workdir):
    hook = script(tmp_path, "pre.sh", "#!/bin/sh\npwd\necho error >&2\ncat\n")
    spec = step_spec(workdir, S.STAGED_IN, preprocess=f"{hook} --fast")
    result = perform(spec, Interruption())
    assert result == StepResult(job_id=spec.job_id, from_state=S.STAGED_IN, to_state=S.PREPROCESSED)
    first, *rest = (workdir / "preprocess.log").read_text().splitlines()
    assert first == f"# preprocess of job {spec.job_id} [test]: {hook} --fast"
    assert rest == [str(workdir), "error"]


def test_a_postprocess_has_a_log_of_its_own(workdir):
    result = perform(step_spec(workdir, S.RUN_DONE, postprocess="echo post"), Interruption())
    assert result is not None and result.to_state is S.POSTPROCESSED
    assert body(workdir, "postprocess.log") == "post\n"


def test_a_log_is_new_each_time(workdir):
    for _ in range(2):
        assert preprocess(workdir, "echo once").to_state is S.PREPROCESSED
    assert body(workdir) == "once\n"


def test_a_hook_inherits_the_environment_overlaid_by_the_jobs(
    tmp_path, workdir, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("INHERITED", "kept")
    monkeypatch.setenv("OVERLAID", "hidden")
    hook = script(tmp_path, "pre.sh", '#!/bin/sh\necho "$INHERITED $OVERLAID $HOME"\n')
    preprocess(workdir, hook, environ={"OVERLAID": "jobs"})
    assert body(workdir) == f"kept jobs {os.environ['HOME']}\n"


def test_an_interpreter_is_found_on_the_path(tmp_path, workdir):
    directory = Path(sys.executable).parent
    hook = script(
        tmp_path, "pre.py", f"#!/usr/bin/env {Path(sys.executable).name}\nimport balsam\nprint('found')\n"
    )
    result = preprocess(workdir, hook, environ={"PATH": f"{directory}:{os.environ['PATH']}"})
    assert result.to_state is S.PREPROCESSED, result.message
    assert body(workdir) == "found\n"


def test_no_shell_sees_the_arguments(tmp_path, workdir):
    hook = script(tmp_path, "pre.py", f"#!{sys.executable}\nimport sys\nprint('\\n'.join(sys.argv[1:]))\n")
    preprocess(workdir, f"{hook} $(touch evil) ; '& touch evil' `touch evil` *")
    assert body(workdir).splitlines() == ["$(touch", "evil)", ";", "& touch evil", "`touch", "evil`", "*"]
    assert not (workdir / "evil").exists()


def test_a_script_without_a_first_line_is_run_by_the_shell(tmp_path, workdir):
    hook = script(tmp_path, "pre", 'echo "arguments: $*"\n')
    assert preprocess(workdir, f"{hook} a b").to_state is S.PREPROCESSED
    assert body(workdir) == "arguments: a b\n"


def test_a_failed_preprocess_fails_the_job_with_the_last_16_lines(tmp_path, workdir):
    hook = script(tmp_path, "pre.sh", "#!/bin/sh\nseq 100\nexit 3\n")
    result = preprocess(workdir, hook)
    first, *lines = result.message.splitlines()
    assert result.to_state is S.FAILED
    assert first == f"The preprocess exited with 3. The end of {workdir}/preprocess.log:"
    assert lines == [f"    {number}" for number in range(85, 101)]


def test_a_failed_postprocess_fails_the_job_with_the_last_30_lines(tmp_path, workdir):
    hook = script(tmp_path, "post.sh", "#!/bin/sh\nseq 100\nexit 1\n")
    result = perform(step_spec(workdir, S.RUN_DONE, postprocess=str(hook)), Interruption())
    assert result is not None and result.to_state is S.FAILED
    assert result.message.splitlines()[1:] == [f"    {number}" for number in range(71, 101)]


def test_a_hook_killed_by_a_signal_fails_the_job_with_its_name(tmp_path, workdir):
    hook = script(tmp_path, "pre.sh", "#!/bin/sh\nkill -SEGV $$\n")
    message = preprocess(workdir, hook).message
    assert message.startswith("The preprocess was killed by SIGSEGV; it printed nothing")


@pytest.mark.parametrize(
    ("text", "mode", "reason"),
    [
        ("#!/no/such/interpreter\n", 0o755, "interpreter that its first line names does not exist"),
        ("#!/bin/sh\n", 0o644, "is not executable"),
        ("\0\0\0", 0o755, "exec format error"),
    ],
)
def test_a_hook_that_cannot_be_started_fails_the_job_with_the_reason(tmp_path, workdir, text, mode, reason):
    hook = script(tmp_path, "pre", text)
    hook.chmod(mode)
    result = preprocess(workdir, hook)
    assert result.to_state is S.FAILED
    assert reason in result.message


@pytest.mark.parametrize(
    ("command", "environ", "reason"),
    [
        ("no-such-tool --x", {}, "there is no such program on PATH"),
        ("echo 'oops", {}, "no closing quotation"),
        ("echo x", {"A": "nul \0"}, "null byte"),
        ("echo x", {"A=B": "c"}, "environment variable"),
        ("echo x", {"A": "x" * 3_000_000}, "argument list too long"),
    ],
)
def test_what_cannot_be_passed_on_fails_the_job_with_the_reason(workdir, command, environ, reason):
    result = preprocess(workdir, command, environ=environ)
    assert result.to_state is S.FAILED
    assert reason in result.message


def test_a_blank_hook_is_done_without_a_log(workdir):
    assert preprocess(workdir, "  ").to_state is S.PREPROCESSED
    assert os.listdir(workdir) == []


def test_a_hook_that_takes_too_long_is_ended_with_all_it_has_started(tmp_path, workdir):
    hook = script(
        tmp_path, "pre.sh", "#!/bin/sh\necho waiting\nsleep 1000 &\nsetsid sleep 1000 &\nsleep 1000\n"
    )
    spec = step_spec(workdir, S.STAGED_IN, preprocess=str(hook), environ={"MARK": str(tmp_path)})
    result = perform(spec, Interruption(), hook_timeout_sec=0.5)
    assert result is not None and result.to_state is S.FAILED
    assert result.message.startswith("The preprocess took longer than 0.5 s and was ended")
    assert result.message.endswith("    waiting")
    wait_until(lambda: not orphans_of("MARK", str(tmp_path)))


def test_what_a_hook_leaves_behind_ends_with_it(tmp_path, workdir):
    hook = script(tmp_path, "pre.sh", "#!/bin/sh\nsleep 1000 &\n")
    assert preprocess(workdir, hook, environ={"MARK": str(tmp_path)}).to_state is S.PREPROCESSED
    wait_until(lambda: not orphans_of("MARK", str(tmp_path)))


class Stage:
    """A step in a thread of its own."""

    def __init__(self, spec) -> None:
        self.interruption = Interruption()
        self.results: list[StepResult | None] = []
        self._thread = threading.Thread(
            target=lambda: self.results.append(perform(spec, self.interruption)), daemon=True
        )
        self._thread.start()

    def join(self) -> StepResult | None:
        self._thread.join(30)
        return self.results[0]


def test_an_interrupted_hook_is_ended_and_the_step_has_no_result(tmp_path, workdir):
    hook = script(tmp_path, "pre.sh", "#!/bin/sh\ntouch started\nsleep 1000\n")
    spec = step_spec(workdir, S.STAGED_IN, preprocess=str(hook), environ={"MARK": str(tmp_path)})
    stage = Stage(spec)
    wait_until(lambda: (workdir / "started").exists())
    (pid, *_) = orphans_of("MARK", str(tmp_path))
    assert os.getsid(pid) != os.getsid(0)
    stage.interruption.set()
    assert stage.join() is None
    assert not psutil.pid_exists(pid)


def test_a_hook_that_ignores_sigterm_is_killed_after_its_grace(tmp_path, workdir):
    hook = script(tmp_path, "pre.sh", "#!/bin/sh\ntrap '' TERM\ntouch started\nwhile :; do sleep 0.1; done\n")
    spec = step_spec(workdir, S.STAGED_IN, preprocess=str(hook), environ={"MARK": str(tmp_path)})
    stage = Stage(spec)
    wait_until(lambda: (workdir / "started").exists())
    stage.interruption.set(grace_sec=0.2)
    assert stage.join() is None
    wait_until(lambda: not orphans_of("MARK", str(tmp_path)))


def test_a_stopped_hook_is_ended_too(tmp_path, workdir):
    hook = script(tmp_path, "pre.sh", "#!/bin/sh\ntouch started\nkill -STOP $$\n")
    spec = step_spec(workdir, S.STAGED_IN, preprocess=str(hook), environ={"MARK": str(tmp_path)})
    stage = Stage(spec)
    wait_until(lambda: (workdir / "started").exists())
    stage.interruption.set()
    assert stage.join() is None


def test_a_hook_may_clean_up_when_it_is_ended(tmp_path, workdir):
    hook = script(
        tmp_path, "pre.sh", "#!/bin/sh\ntrap 'touch cleaned; exit 0' TERM\ntouch started\nsleep 1000 & wait\n"
    )
    stage = Stage(step_spec(workdir, S.STAGED_IN, preprocess=str(hook)))
    wait_until(lambda: (workdir / "started").exists())
    stage.interruption.set()
    assert stage.join() is None
    assert (workdir / "cleaned").exists()


@pytest.mark.parametrize(
    ("state", "flag"), [(S.RUN_ERROR, "post_error_handler"), (S.RUN_TIMEOUT, "post_timeout_handler")]
)
def test_a_handler_that_does_not_move_its_job_fails_it_and_its_log_tells_the_state(workdir, state, flag):
    spec = step_spec(workdir, state, postprocess="echo handled", **{flag: True})
    result = perform(spec, Interruption())
    assert result is not None and result.to_state is S.FAILED
    assert "did not change the job's state" in result.message
    assert f"# handling the state {state}\n" in (workdir / "postprocess.log").read_text()
    assert body(workdir, "postprocess.log") == "handled\n"


def test_a_script_that_is_being_written_is_started_when_that_is_done(tmp_path, workdir):
    hook = tmp_path / "pre"
    hook.write_bytes(Path("/bin/true").read_bytes())
    hook.chmod(0o755)
    with open(hook, "ab"):
        stage = Stage(step_spec(workdir, S.STAGED_IN, preprocess=str(hook)))
        wait_until(lambda: (workdir / "preprocess.log").exists())
    result = stage.join()
    assert result is not None and result.to_state is S.PREPROCESSED, result.message
