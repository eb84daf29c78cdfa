// Work on `count` things in as many threads as `threads`, each a stretch of neighbours: run(first, end). The threads are
// OpenMP's, which PyTorch's own convolutions keep at hand; without it one thread does all.
#pragma once

#include <algorithm>
#include <cstdint>

template <class Run> void in_stretches(int count, int threads, const Run &run) {
    const int parts = std::min(count, threads);
    if (parts <= 1) return run(0, count);
#pragma omp parallel for num_threads(parts) schedule(static, 1)
    for (int part = 0; part < parts; ++part)
        run((int)((int64_t)count * part / parts), (int)((int64_t)count * (part + 1) / parts));
}
