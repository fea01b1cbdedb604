"""What passes between the code and its judge, and what does not."""

import socket
import struct

import pytest
import torch

from regdemo.kata.wire import Gone, WireFault, receive, send


@pytest.fixture
def ends():
    one, other = socket.socketpair()
    with one, other:
        yield one, other


@pytest.mark.parametrize(
    "value",
    [None, True, 3, -(10**30), 1.5, float("inf"), "é\0", [1, [2]], (1, (2, [3])), {"a": (1,), 2: None}, torch.bfloat16],
)
def test_a_plain_value_arrives_as_it_was(ends, value):
    send(ends[0], value)
    got = receive(ends[1])
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.bool, torch.complex64]
)
@pytest.mark.parametrize("shape", [(), (0,), (2, 3), (2, 0, 3)])
def test_a_tensor_arrives_bit_for_bit(ends, dtype, shape):
    value = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(dtype)
    send(ends[0], [value, value.T if value.dim() == 2 else value])
    for got, sent in zip(receive(ends[1]), [value, value.T if value.dim() == 2 else value], strict=True):
        assert torch.equal(got, sent)
        assert got.dtype == dtype


def test_a_tensor_travels_with_its_gradient_and_a_generator_with_its_state(ends):
    x = torch.ones(2, requires_grad=True)
    x.grad = torch.tensor([3.0, 4.0])
    generator = torch.Generator().manual_seed(5)
    send(ends[0], (x, generator))
    got, moved = receive(ends[1])
    assert got.requires_grad
    assert got.grad.tolist() == [3.0, 4.0]
    assert torch.equal(torch.rand(3, generator=moved), torch.rand(3, generator=generator))


REFUSED = {
    "an object": object(),
    "a set": {1, 2},
    "bytes": b"x",
    "a sparse tensor": torch.ones(2).to_sparse(),
    "a tensor without numbers": torch.ones(2, device="meta"),
    "a huge integer": 1 << 20_000,
}


@pytest.mark.parametrize("value", REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_sent_is_refused_by_name(ends, value):
    with pytest.raises(WireFault):
        send(ends[0], value)


TENSOR = '{"tensor": ["float32", [2], 0, false, null]}'


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("{", b""),
        ('{"tuple": 3}', b""),
        ('{"a": 1, "b": 2}', b""),
        ('{"pickle": "x"}', b""),
        ('{"dtype": "Tensor"}', b""),
        ('{"dtype": "__class__"}', b""),
        ('{"generator": 3}', b""),
        ('{"dict": [[[1], 2]]}', b""),
        (TENSOR, b"1234567"),
        (TENSOR.replace("[2]", "[-2]"), b"12345678"),
        (TENSOR.replace("[2]", "[1000000000000]"), b"12345678"),
        (TENSOR.replace("0,", "-4,"), b"12345678"),
        (TENSOR.replace("null", TENSOR.replace("[2]", "[1]")), b"12345678"),
        ("[" * 100_000, b""),
    ],
)
def test_a_message_that_is_none_is_refused(ends, text, numbers):
    ends[0].sendall(struct.pack("<QQ", len(text), len(numbers)) + text.encode() + numbers)
    with pytest.raises(WireFault):
        receive(ends[1])


def test_a_message_that_claims_to_be_huge_is_refused_unread(ends):
    ends[0].sendall(struct.pack("<QQ", 2**40, 0))
    with pytest.raises(WireFault, match="at most 268,435,456 are taken"):
        receive(ends[1])


def test_the_end_of_the_other_side_is_told(ends):
    ends[0].sendall(b"half a hea")
    ends[0].close()
    with pytest.raises(Gone):
        receive(ends[1])
