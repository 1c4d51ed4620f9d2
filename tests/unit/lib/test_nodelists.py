import pytest
from hypothesis import given
from hypothesis import strategies as st

from balsam.lib.nodelists import expand_nodelist, expand_ranges, split_names


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("n1", "n1"),
        ("n[1-4,7]", "n1 n2 n3 n4 n7"),
        ("nid[001234-001236,001240]", "nid001234 nid001235 nid001236 nid001240"),
        ("nid[8-11]", "nid8 nid9 nid10 nid11"),
        ("nid[098-101]", "nid098 nid099 nid100 nid101"),
        ("r[1-2]n[01-02]", "r1n01 r1n02 r2n01 r2n02"),
        ("r[1-2]-ib", "r1-ib r2-ib"),
        ("a1,b[2-3],login.site", "a1 b2 b3 login.site"),
        ("n2 n1\nn3\t", "n2 n1 n3"),
        ("n1,n1,n[1-2]", "n1 n2"),
        ("n[1-2] m[3]", "n1 n2 m3"),
    ],
)
def test_lists_of_slurm_are_written_out(text: str, names: str) -> None:
    assert " ".join(expand_nodelist(text)) == names


@pytest.mark.parametrize(
    "text", ["", " , ", "n[1-", "n1]", "n[]", "n[4-1]", "n[a-b]", "n[1-2-3]", "n[1-9999999999]", "n[[1]]"]
)
def test_a_garbled_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"names no node|bracket|range|number"):
        expand_nodelist(text)


def test_many_brackets_do_not_fill_the_memory() -> None:
    with pytest.raises(ValueError, match="more than 1000000"):
        expand_nodelist("n[1-2000]x[1-2000]")


@given(
    st.lists(st.tuples(st.integers(0, 9999), st.integers(0, 50)), min_size=1, max_size=5), st.integers(1, 6)
)
def test_ranges_name_what_they_span(spans: list[tuple[int, int]], width: int) -> None:
    text = ",".join(f"{first:0{width}d}-{first + length:0{width}d}" for first, length in spans)
    expected = [n for first, length in spans for n in range(first, first + length + 1)]
    numbers = expand_ranges(text)
    assert [int(number) for number in numbers] == expected
    assert all(len(number) >= width for number in numbers)


def test_ranges_may_be_single_numbers() -> None:
    assert expand_ranges("1001-1003,1030") == ["1001", "1002", "1003", "1030"]


def test_names_are_split_at_commas_and_blanks() -> None:
    assert split_names("b,a\n a b\n") == ["b", "a"]
