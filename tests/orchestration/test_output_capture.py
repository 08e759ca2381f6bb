"""What is kept of the output of a child process."""

import pytest

from orchestration.runners.output_capture import OutputCapture


@pytest.mark.parametrize("most", [1, 2, 10, 11])
@pytest.mark.parametrize("size", [1, 2, 10, 11, 12, 40])
@pytest.mark.parametrize("step", [1, 3, 100])
def test_as_much_is_kept_as_may_be_and_the_end_of_it_always(most, size, step):
    """O09."""
    output = bytes(range(65, 65 + size))
    captured = OutputCapture(most)
    for start in range(0, size, step):
        captured.data_received(output[start : start + step])
    text = captured.text(secret="")
    assert captured.cut == max(size - most, 0)
    if captured.cut:
        head, _, tail = text.split("\n")
        assert (len(head), len(tail)) == (most // 2, most - most // 2)
        assert output.decode().startswith(head)
        assert output.decode().endswith(tail)
    else:
        assert text == output.decode()
