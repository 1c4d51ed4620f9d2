"""Transfers by boto3 from and to a real S3 server: what becomes of each object."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import httpx
import pytest

from balsam.exceptions import StepInterrupted, UsageError
from balsam.platform.transfer import Place, parse_address, parse_location
from balsam.processing.transfers import by_s3, carrying, s3_asking
from balsam.processing.transfers.planning import plan
from balsam.schemas.transfers import TransferResult, TransferSpec
from tests.s3_server import PAGE, s3_server
from tests.unit.processing.transfers.carried import carried, carry, transfer_spec

HOSTILE = ["a b", "-rf", 'it\'s "q"', "ümläut-文", "$(x);`y`", "*?[a]", "back\\slash", "100%25", "a+b&c#d?e"]
BIG = bytes(range(256)) * 4096 * 20


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with s3_server() as found:
        yield found


@pytest.fixture
def s3(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "aws-credentials"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA0")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    httpx.post(f"{url}/moto-api/reset")
    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
    client.create_bucket(Bucket="lake")
    (tmp_path / "data").mkdir()
    return client


def put(s3: Any, **objects: bytes) -> None:
    for key, content in objects.items():
        s3.put_object(Bucket="lake", Key=key, Body=content)


def slot(s3: Any, tmp_path: Path, number: int = 1, **fields: Any) -> TransferSpec:
    defaults = {"direction": "in", "slot": "x", "location_alias": "lake", "remote_path": "/a",
                "local_path": "in", "recursive": False,
                "location": f"s3://lake?endpoint_url={s3.meta.endpoint_url}"}  # fmt: skip
    return transfer_spec(tmp_path / "data" / f"job{number}", item_id=number, **{**defaults, **fields})


def moved(specs: Sequence[TransferSpec]) -> dict[int, TransferResult]:
    results: dict[int, TransferResult] = {}
    plans = [plan(spec, None) for spec in specs]
    carry(plans, lambda result: results.update({result.item_id: result}), lambda notes: None)
    return results


def test_objects_of_any_name_come_in_and_one_that_is_missing_fails_alone(s3, tmp_path):
    specs = []
    for number, name in enumerate(HOSTILE, 1):
        put(s3, **{f"dir/{name}": name.encode()})
        specs.append(slot(s3, tmp_path, number, remote_path=f"/dir/{name}", local_path="."))
    results = moved([*specs, slot(s3, tmp_path, 99, remote_path="/none")])
    for spec in specs:
        assert results[spec.item_id].state == "done", results[spec.item_id].message
        assert Path(spec.workdir, spec.remote_path.removeprefix("/dir/")).read_text() == spec.remote_path[5:]
    assert results[99].state == "error" and "s3://lake/none" in results[99].message
    left = [path.name for path in (tmp_path / "data/.balsam-transfers").iterdir() if path.is_dir()]
    assert left == []


def test_large_objects_come_and_go_in_parts(s3, tmp_path):
    out = slot(s3, tmp_path, direction="out", local_path="big", remote_path="/deep/big")
    (tmp_path / "data/job1").mkdir()
    (tmp_path / "data/job1/big").write_bytes(BIG)
    result = carried(out)
    assert (result.state, result.size_bytes) == ("done", len(BIG)), result.message
    assert "-3" in s3.head_object(Bucket="lake", Key="deep/big")["ETag"]
    back = carried(slot(s3, tmp_path, remote_path="/deep/big", local_path="back"))
    assert (back.state, back.size_bytes) == ("done", len(BIG)), back.message
    assert (tmp_path / "data/job1/back").read_bytes() == BIG


@pytest.mark.parametrize("direction", ["in", "out"])
def test_it_is_told_how_much_has_come(s3, tmp_path, monkeypatch, direction):
    monkeypatch.setattr(carrying, "_PROGRESS_SEC", 0.0)
    put(s3, a=BIG)
    (tmp_path / "data/job1").mkdir()
    (tmp_path / "data/job1/in").write_bytes(BIG)
    told: list[TransferResult] = []
    plans = [plan(slot(s3, tmp_path, direction=direction), None)]
    carry(plans, lambda result: None, lambda notes: None, on_progress=told.append)
    sizes = [one.size_bytes for one in told]
    assert len(sizes) > 3 and max(sizes) == len(BIG) and {one.total_bytes for one in told} == {len(BIG)}


def test_a_prefix_is_a_directory_both_ways(s3, tmp_path):
    put(s3, **{"t/x": b"x", "t/deep/ü": b"12", "t/empty/": b"", "tt": b"not of it"})
    result = carried(slot(s3, tmp_path, remote_path="/t", local_path="sub", recursive=True))
    assert (result.state, result.size_bytes) == ("done", 3), result.message
    top = tmp_path / "data/job1/sub"
    found = sorted(str(path.relative_to(top)) for path in top.rglob("*"))
    assert found == ["deep", "deep/ü", "empty", "x"]
    (top / "link").symlink_to("x")
    out = slot(s3, tmp_path, direction="out", remote_path="/back/", local_path="sub", recursive=True)
    assert carried(out).size_bytes == 4
    keys = [row["Key"] for row in s3.list_objects_v2(Bucket="lake", Prefix="back/")["Contents"]]
    assert keys == ["back/deep/ü", "back/link", "back/x"]


def test_many_objects_are_listed_by_pages(s3, tmp_path):
    for number in range(PAGE + 5):
        put(s3, **{f"many/{number}": b"1"})
    result = carried(slot(s3, tmp_path, remote_path="/many", local_path="m", recursive=True))
    assert (result.state, result.size_bytes) == ("done", PAGE + 5), result.message


@pytest.mark.parametrize("key", ["t/../../x", "t//x", "t/a/../../../x"])
def test_a_key_that_is_no_path_below_is_refused(s3, tmp_path, key):
    put(s3, **{key: b"x"})
    result = carried(slot(s3, tmp_path, remote_path="/t", local_path="sub", recursive=True))
    assert result.state == "error" and "cannot be a path" in result.message


def test_a_key_that_is_a_file_and_a_directory_is_refused(s3, tmp_path):
    put(s3, **{"t/a": b"x", "t/a/b": b"y"})
    result = carried(slot(s3, tmp_path, remote_path="/t", local_path="sub", recursive=True))
    assert result.state == "error" and "as well as a directory" in result.message


def test_addresses_of_jobs_work_by_the_environment(s3, tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3.meta.endpoint_url)
    put(s3, **{"d/f": b"f"})
    for address in ("s3://lake/d", "s3://lake/d/f"):
        spec = transfer_spec(tmp_path / "data/job", direction="in", remote_path=address, local_path=".")
        assert carried(spec).state == "done"
    assert (tmp_path / "data/job/d/f").read_text() == (tmp_path / "data/job/f").read_text() == "f"
    out = transfer_spec(tmp_path / "data/job", direction="out", remote_path="s3://lake/o", local_path="f d")
    assert carried(out).state == "done"
    keys = [row["Key"] for row in s3.list_objects_v2(Bucket="lake", Prefix="o/")["Contents"]]
    assert keys == ["o/d/f", "o/f"]


def test_without_credentials_all_wait_and_say_what_to_do(s3, tmp_path, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    put(s3, a=b"a")
    result = carried(slot(s3, tmp_path))
    assert (result.state, result.is_failure) == ("inactive", False)
    assert "Unable to locate credentials" in result.message and "AWS_PROFILE" in result.message
    location = f"s3://lake?profile=mine&endpoint_url={s3.meta.endpoint_url}"
    unknown = carried(slot(s3, tmp_path, location=location))
    assert (unknown.state, unknown.is_failure) == ("inactive", False) and "mine" in unknown.message
    (tmp_path / "aws-credentials").write_text("[mine]\naws_access_key_id=AKIA1\naws_secret_access_key=x\n")
    assert carried(slot(s3, tmp_path, location=location)).state == "done"


@pytest.mark.parametrize("direction", ["in", "out"])
def test_credentials_that_are_not_taken_are_waited_for(s3, tmp_path, direction):
    put(s3, a=b"a")
    (tmp_path / "data/job1").mkdir()
    (tmp_path / "data/job1/in").write_text("x")
    httpx.post(f"{s3.meta.endpoint_url}/moto-api/reset-auth", content="0")
    try:
        result = carried(slot(s3, tmp_path, direction=direction))
    finally:
        httpx.post(f"{s3.meta.endpoint_url}/moto-api/reset-auth", content="inf")
    assert (result.state, result.is_failure) == ("inactive", False), result.message
    assert "InvalidAccessKeyId" in result.message


def test_a_server_that_is_not_there_is_waited_for(s3, tmp_path):
    result = carried(slot(s3, tmp_path, location="s3://lake?endpoint_url=http://127.0.0.1:1"))
    assert (result.state, result.is_failure) == ("inactive", False)
    assert "S3 does not answer" in result.message


def test_a_bucket_or_file_that_is_missing_fails(s3, tmp_path):
    put(s3, a=b"a")
    location = f"s3://elsewhere?endpoint_url={s3.meta.endpoint_url}"
    assert carried(slot(s3, tmp_path, location=location)).state == "error"
    result = carried(slot(s3, tmp_path, location=location, direction="out"))
    assert result.state == "error" and "to be taken out" in result.message
    (tmp_path / "data/job1").mkdir()
    (tmp_path / "data/job1/in").write_text("x")
    result = carried(slot(s3, tmp_path, location=location, direction="out"))
    assert result.state == "error" and "NoSuchBucket" in result.message


def test_what_arrives_otherwise_than_it_is_there_is_no_success(s3, tmp_path, monkeypatch):
    put(s3, a=b"a")
    monkeypatch.setattr(s3_asking, "_digest", lambda path: "0" * 32)
    result = carried(slot(s3, tmp_path))
    assert (result.state, result.is_failure) == ("inactive", True) and "The md5 of" in result.message
    assert not (tmp_path / "data/job1/in").exists()


def test_a_tree_goes_on_with_what_is_there(s3, tmp_path, monkeypatch):
    put(s3, **{"t/a": b"a", "t/b": b"b", "t/c": b"c"})
    spec = slot(s3, tmp_path, remote_path="/t", local_path="sub", recursive=True)
    real, brought = by_s3.check_whole, []

    def interrupted(path: str, head: Any) -> None:
        real(path, head)
        brought.append(head["ETag"])
        if len(brought) == 2:
            raise StepInterrupted

    monkeypatch.setattr(by_s3, "check_whole", interrupted)
    assert carried(spec).state == "pending"
    assert carried(spec).state == "done"
    assert len(brought) == 4, "of three, the one that had been interrupted came twice"


def test_without_boto3_the_words_say_what_to_install(s3, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "boto3", None)
    result = carried(slot(s3, tmp_path))
    assert result.state == "error" and "pip install 'balsam[s3]'" in result.message


def test_locations_have_options():
    options = (("endpoint_url", "https://s3.example.org:9000/x"), ("profile", "mine"))
    text = "s3://lake/project?endpoint_url=https://s3.example.org:9000/x&profile=mine"
    assert parse_location("lake", text) == Place("s3", "lake", path="/project", options=options)
    assert parse_location("lake", "s3://lake?profile=mine").path == "/"
    assert parse_address("s3://lake/a?b=c").path == "/a?b=c", "of a job it is part of the key"
    for wrong in ("s3://lake?secret=x", "s3://lake?profile", "s3:///x", "s3:lake/x", "s3://-x/"):
        with pytest.raises(UsageError, match="transfer location 'lake'"):
            parse_location("lake", wrong)
