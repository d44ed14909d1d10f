// A graph as C, compiled on the spot.
#pragma once

#include <functional>

#include "autograd/graph/graph.hpp"

namespace benchmark {

/// One step of it; empty where there is no C compiler, or no shared library can be loaded.
std::function<void()> compiled_c_step(const autograd::Graph<float>& graph);

}  // namespace benchmark
