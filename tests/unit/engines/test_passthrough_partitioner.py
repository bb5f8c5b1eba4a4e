"""The passthrough partitioner, run as an ordinary component."""


def test_the_source_becomes_one_chunk_byte_for_byte(run_engine):
    source = bytes(range(256)) * 1000
    assert run_engine("passthrough_partitioner", {"input.dat": source}).chunks() == [source]
