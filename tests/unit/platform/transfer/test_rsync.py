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
    command = rsync.bring(PLACE, moves, "/scratch", SSH)
    assert command.stdin == b"-rf\0a b/$(x)'\n\0"
    assert command.argv[-3:] == ["--", "ada@host:/", "/scratch/"]
    assert "-s" in command.argv and "--from0" in command.argv
    assert command.argv[command.argv.index("-e") + 1] == 'ssh -o "ControlPath=/tmp/x y" -o BatchMode=yes'


def test_messages_belong_to_the_file_they_name():
    assert "No such file" in rsync.words_of("/data/missing", STDERR)
    assert "Permission denied" in rsync.words_of("/data/a\nb", STDERR)
    assert rsync.words_of("/data/miss", STDERR) == ""
    assert rsync.words_of("/data/b", STDERR) == ""


def test_trees_keep_their_links_and_files_follow_them():
    tree = rsync.bring(PLACE, [Move(item_id=1, remote="/t", recursive=True)], "/s", SSH).argv
    file = rsync.bring(PLACE, [Move(item_id=1, remote="/t")], "/s", SSH).argv
    assert "-rl" in tree and "-L" not in tree
    assert "-L" in file and "-rl" not in file
