import pytest

from balsam.platform.transfer import Move, Place, rsync

PLACE = Place("rsync", "host", "ada")
SSH = ("-o", "ControlPath=/tmp/x y", "-o", "BatchMode=yes")
#: rsync 3.2.7, as it prints for three names.
STDERR = """\
rsync: [sender] link_stat "/data/missing" failed: No such file or directory (2)
rsync: [sender] send_files failed to open "/data/a\\#012b": Permission denied (13)
rsync error: some files/attrs were not transferred (see previous errors) (code 23) at main.c(1865)
"""


def test_names_go_through_the_input_and_no_shell_sees_them():
    moves = [Move(item_id=1, remote="/-rf"), Move(item_id=2, remote="/a b/$(x)'\n")]
    command = rsync.bring(PLACE, rsync.Listing(moves), "/scratch", SSH)
    assert command.stdin == b"-rf\0a b/$(x)'\n\0"
    assert command.argv[-3:] == ["--", "ada@host:/", "/scratch/"]
    assert "-s" in command.argv and "--from0" in command.argv
    assert command.argv[command.argv.index("-e") + 1] == 'ssh -o "ControlPath=/tmp/x y" -o BatchMode=yes'


@pytest.mark.parametrize(
    ("paths", "source", "stdin"),
    [
        (["/a/b/x", "/a/b/c/y"], "/a/b/", b"x\0c/y\0"),
        (["/a/b", "/a/b-x/y"], "/a/", b"b\0b-x/y\0"),
        (["/ab/x", "/ac/x"], "/", b"ab/x\0ac/x\0"),
        (["/x"], "/", b"x\0"),
        (["/a/[b]/c/x"], "/a/", b"[b]/c/x\0"),
        (["/a/b?/c/x"], "/a/", b"b?/c/x\0"),
        (["/a\\/x"], "/", b"a\\/x\0"),
        (["d/x", "d/y"], "./d/", b"x\0y\0"),
        (["~/-x/y"], "./-x/", b"y\0"),
    ],
)
def test_files_are_named_from_the_directory_that_holds_all(paths, source, stdin):
    moves = [Move(item_id=number, remote=path) for number, path in enumerate(paths)]
    command = rsync.bring(PLACE, rsync.Listing(moves), "/s", SSH)
    assert command.argv[-2:] == ["ada@host:" + source, "/s/" + source.removeprefix("./").removeprefix("/")]
    assert command.stdin == stdin


def test_messages_belong_to_the_file_they_name():
    assert "No such file" in rsync.words_of("/data/missing", STDERR)
    assert "Permission denied" in rsync.words_of("/data/a\nb", STDERR)
    assert rsync.words_of("/data/miss", STDERR) == ""
    assert rsync.words_of("/data/b", STDERR) == ""
    of_all = 'rsync: [sender] change_dir "/data" failed: No such file or directory (2)'
    assert rsync.words_of("/data/b", of_all) == of_all


def test_trees_keep_their_links_and_files_follow_them():
    tree = rsync.bring(PLACE, rsync.Listing([Move(item_id=1, remote="/t", recursive=True)]), "/s", SSH).argv
    file = rsync.bring(PLACE, rsync.Listing([Move(item_id=1, remote="/t")]), "/s", SSH).argv
    assert "-rl" in tree and "-L" not in tree
    assert "-L" in file and "-rl" not in file
