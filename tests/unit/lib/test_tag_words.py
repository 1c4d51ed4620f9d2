"""Tags and partitions as words of a shell."""

import shlex

from balsam.lib.tag_words import TagWords, partition_words


def test_tags_are_a_mapping_and_options():
    tags = TagWords({"workflow": "hello", "what": "two words; rm"})
    assert dict(tags.items())["workflow"] == "hello"
    assert shlex.split(str(tags)) == ["--tag", "workflow=hello", "--tag", "what=two words; rm"]
    assert str(TagWords()) == ""


def test_partitions_are_options():
    parts = [
        {"job_mode": "mpi", "num_nodes": 2, "filter_tags": {"role": "leader"}},
        {"job_mode": "serial", "num_nodes": 126, "filter_tags": None},
    ]
    assert partition_words(parts) == "--part mpi:2:role=leader --part serial:126"
    assert partition_words([]) == ""
