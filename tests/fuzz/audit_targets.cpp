// What the gradient audit reads: derivations, and finished gradients.
#include <map>

#include "audit/arrays.hpp"
#include "nn/audit/audit.hpp"
#include "nn/audit/stock.hpp"
#include "nn/io/file.hpp"
#include "targets.hpp"

namespace fuzz {

namespace {

using namespace nn::audit;

/// A small run of a cell.
const Truth& small_truth(const std::string& cell) {
  static std::map<std::string, Truth> truths;
  auto at = truths.find(cell);
  if (at == truths.end())
    at = truths.emplace(cell, stock_truth(cell, {.steps = 2, .batch = 2, .input = 2, .hidden = 2})).first;
  return at->second;
}

void run_derivation(std::string_view bytes) {
  const Derivation derivation = parse(bytes);
  const Truth& truth = small_truth(is_stock(derivation.cell) ? derivation.cell : "lstm");
  audit(derivation, truth);
  audit(derivation, truth, Mode::cumulative);
}

std::vector<std::string> derivation_seeds() {
  return {"cell lstm\ndzo[t] = dh[t] * tanh(c[t]) * o[t] * (1 - o[t])\n", "dWxi = sum_t(dzi[t].T @ x[t])\n"};
}

void run_arrays(std::string_view bytes) {
  audit_arrays(read_arrays(std::string(bytes), "arrays"),
               small_truth("rnn"));  // of more gates the search takes too long
}

std::vector<std::string> array_seeds() {
  return {R"({"dWx": {"shape": [2, 2], "data": [0.5, -1.25e-3, 3, 4]}, "db": {"shape": [2], "data": [1, 2]}})",
          R"({"dx": {"shape": [2, 2, 2], "data": [1, 2, 3, 4, 5, 6, 7, 8]}})"};
}

}  // namespace

std::vector<Target> audit_targets() {
  return {{"derivation", run_derivation, derivation_seeds, nn::io::read_file},
          {"arrays", run_arrays, array_seeds, nn::io::read_file}};
}

}  // namespace fuzz
