"""Packing of jobs into rectangles: nothing overlaps, and little is wasted."""

from hypothesis import given
from hypothesis import strategies as st

from balsam.agent.shapes import Shape, Work, pack
from balsam.schemas.batch_jobs import Demand

ONE = Shape(1, 1, 1, 10)
FOUR_A_NODE = Shape(1, 1, 4, 10)
WIDE = Shape(4, 8, 1, 30)


def test_jobs_side_by_side_take_the_time_of_one():
    assert pack({ONE: 10}, 10).minutes == 10
    assert pack({ONE: 10}, 4).minutes == 30
    assert pack({FOUR_A_NODE: 10}, 3).minutes == 10


def test_short_jobs_fill_up_beside_a_long_one():
    packed = pack({WIDE: 1, ONE: 2}, 6)
    assert (packed.minutes, packed.counts) == (30, {WIDE: 1, ONE: 2})


def test_what_does_not_fit_stays_out():
    assert pack({WIDE: 3, ONE: 5}, 4, 40).counts == {WIDE: 1, ONE: 4}
    assert pack({WIDE: 3}, 3).counts == {}
    assert pack({WIDE: 3}, 4, 29).counts == {}


def test_jobs_without_a_time_take_a_minute():
    assert pack({Shape(1, 1, 1, 0): 2}, 1).minutes == 2


def test_work_is_read_from_the_demand():
    work = Work.of(
        [
            Demand(num_nodes=1, num_ranks=1, packing=4, wall_time_min=10, is_ready=True, count=3),
            Demand(num_nodes=1, num_ranks=1, packing=4, wall_time_min=10, is_ready=False, count=2),
            Demand(num_nodes=4, num_ranks=8, packing=1, wall_time_min=30, is_ready=False, count=1),
        ]
    )
    assert (work.ready, work.soon) == ({FOUR_A_NODE: 3}, {FOUR_A_NODE: 2, WIDE: 1})
    assert (work.num_ready, work.num_jobs) == (3, 6)
    assert [shape.is_serial for shape in (FOUR_A_NODE, WIDE, Shape(1, 2, 1, 1))] == [True, False, False]


SHAPES = st.builds(Shape, st.integers(1, 9), st.just(1), st.just(1), st.integers(0, 50)) | st.builds(
    Shape, st.just(1), st.just(1), st.integers(1, 8), st.integers(0, 50)
)


@given(st.dictionaries(SHAPES, st.integers(1, 40), max_size=6), st.integers(1, 12), st.integers(0, 200))
def test_packed_jobs_never_need_more_than_the_rectangle(counts: dict[Shape, int], nodes: int, minutes: int):
    packed = pack(counts, nodes, minutes)
    assert packed.minutes <= minutes
    assert packed.area <= nodes * packed.minutes
    assert all(0 < count <= counts[shape] for shape, count in packed.counts.items())
    if any(shape.num_nodes <= nodes and shape.minutes <= minutes for shape in counts):
        assert packed.counts


@given(st.dictionaries(SHAPES, st.integers(1, 40), max_size=6), st.integers(9, 12))
def test_everything_fits_where_there_is_time(counts: dict[Shape, int], nodes: int):
    assert pack(counts, nodes).counts == counts
