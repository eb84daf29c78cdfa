"""Videos to tensors: index, decoding, sampling, crops, batches; and the embedded probes."""
