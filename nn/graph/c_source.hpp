// A graph as C: one header with the weights in it, which needs nothing but math.h.
#pragma once

#include <filesystem>
#include <string>

#include "autograd/graph/graph.hpp"

namespace nn::io {

/// C99, which is C++17 too, of one step for one sequence:
///
///     NAME_INPUT_SIZE, NAME_OUTPUT_SIZE
///     typedef struct { ... } NAME_state;                             the states, and nothing else
///     void NAME_reset(NAME_state* s);                                to the initial ones
///     void NAME_step(NAME_state* s, const float* x, float* y);       double of a Graph<double>; x and y may overlap
///
/// All functions are static, allocate nothing and change no globals. exp, tanh and sigmoid of float are written out, so
/// that a compiler makes loops of registers of them; with -DNAME_LIBM they are those of math.h. Compile without
/// -ffast-math, which takes their rounding away.
///
/// Throws ValueError for a graph with other than one input and one output, one that can not run, a name that is no
/// identifier of C, and, naming it, for an op that is not written in C.
template <class T>
std::string c_source(const autograd::Graph<T>& graph, const std::string& name);

struct COptions {
  std::string name = {};  ///< by default the file's, without its suffix and with _ for what is no letter or digit
};

/// Writes it to a file, which is replaced as a whole. Throws as c_source(), and Error if it can not be written.
template <class T>
void save_c(const autograd::Graph<T>& graph, const std::filesystem::path& path, const COptions& options = {});

}  // namespace nn::io
