// One sample of RTNeural's models, behind an interface that needs none of its headers.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace benchmark {

struct RtneuralModel {
  std::string name;  ///< "eigen, compiled", "xsimd, at run time"
  std::function<void()> step;
};

/// An "lstm" or a "gru" of one input and a hidden size of 8, 16, 32, 40 or 64, with a dense output: models of sizes
/// known at compile time and at run time, on both of the libraries that RTNeural computes with. None for other sizes,
/// and without its headers.
std::vector<RtneuralModel> rtneural_models(const std::string& cell, int hidden_size);

}  // namespace benchmark
