"""Results on disk while the database is away."""

from pathlib import Path

from balsam.launcher.journal import Journal, left_behind
from balsam.schemas.jobs import JobReport, Step
from balsam.states import JobState as S

REPORT = JobReport(
    job_id="4b7c1f8e-1f9d-4f0f-9a53-f1a1b1d0c0de",
    attempt=2,
    steps=(Step(S.RUNNING, 9.0, ""), Step(S.RUN_ERROR, 5.0, "exit code 1\nbad ünicode\n")),
    return_code=1,
    exception="text of an exception",
)


def test_reports_come_back_as_they_were_written(tmp_path: Path) -> None:
    Journal(tmp_path, 7).write([REPORT])
    [(session_id, journal)] = left_behind(tmp_path)
    [read] = journal.read()
    assert session_id == 7
    assert (read.job_id, read.attempt, read.return_code) == (REPORT.job_id, 2, 1)
    assert (read.value, read.exception) == (None, "text of an exception")
    assert [(s.state, s.message) for s in read.steps] == [(s.state, s.message) for s in REPORT.steps]


def test_age_grows_while_the_report_lies_on_disk(tmp_path: Path) -> None:
    Journal(tmp_path, 7).write([REPORT])
    assert Journal(tmp_path, 7).read()[0].steps[0].age_sec >= 9.0


def test_torn_last_line_is_left_out(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 7)
    journal.write([REPORT, REPORT])
    journal.path.write_text(journal.path.read_text()[:-20])
    assert len(journal.read()) == 1


def test_journal_is_private(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 7)
    journal.write([REPORT])
    assert journal.path.stat().st_mode & 0o777 == 0o600


def test_cleared_journal_is_gone(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 7)
    journal.write([REPORT])
    journal.clear()
    assert list(left_behind(tmp_path)) == []
    assert journal.read() == []
