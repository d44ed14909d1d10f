// What every benchmark shares: the environment it prints, interleaved timing, medians.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace benchmark {

/// CPU, instruction set, BLAS and its core type, threads, compiler and library versions, one per line.
std::string environment();

/// The median time of each contestant in microseconds. They take turns, `rounds` times, each turn long enough to
/// measure, so that a change of the machine's speed meets all of them.
std::vector<double> interleaved_medians(const std::vector<std::function<void()>>& contestants, int rounds = 15,
                                        double seconds_per_turn = 0.02);

}  // namespace benchmark
