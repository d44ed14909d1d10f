// The stock cells under the audit's names, with random weights, and their derivations.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "nn/audit/derivation.hpp"
#include "nn/audit/truth.hpp"

namespace nn::audit {

enum class ReadBy { every_step, last_step };

/// A run: random, but for what is given.
struct Setup {
  std::size_t steps = 7, batch = 3, input = 4, hidden = 5;
  std::uint64_t seed = 1;
  ReadBy loss = ReadBy::every_step;                      ///< Σ <a, h> + |h|² / 2 with random a, over these steps
  bool zero_state = false;                               ///< instead of a random one
  std::map<std::string, Array<double>> parameters = {};  ///< "weight_ih", ...: in the place of random ones
  std::optional<Array<double>> x = {};                   ///< (steps, batch, input)
};

/// "lstm", "peephole", and so on. Of "projected" h has `hidden` features, and c twice as many.
const std::vector<std::string>& stock_cells();
bool is_stock(const std::string& cell);

/// Throws ValueError for an unknown cell or parameter, and for a size of 0; ShapeError for a parameter or an
/// x of another shape than the sizes say.
Truth stock_truth(const std::string& cell, const Setup& setup);

/// The right derivation of a stock cell: nn/audit/derivations/<cell>.derivation, as this library was built.
/// Throws ValueError for an unknown cell.
const Derivation& stock_derivation(const std::string& cell);

}  // namespace nn::audit
