// What other programs answered for a model of theirs, beside its file: a list of pairs of an input and an output
// sequence.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "networks.hpp"
#include "nn/infer/evaluate.hpp"

namespace networks {

/// The largest difference between the answers in a file and those of a network.
inline double difference_from(const std::filesystem::path& answers, const Network& network) {
  std::ifstream stream(answers);
  double largest = 0;
  for (const auto& [input, output] : nlohmann::json::parse(stream).get<std::vector<std::pair<Rows, Rows>>>()) {
    Tensor x = nn::io::zero_tensor({input.size(), input[0].size()});
    for (std::size_t t = 0; t < input.size(); ++t)
      std::copy(input[t].begin(), input[t].end(), x.values.begin() + static_cast<std::ptrdiff_t>(t * input[0].size()));
    largest = std::max(largest, largest_difference(rows_of(nn::infer::evaluate(network, x)), output));
  }
  return largest;
}

}  // namespace networks
