// The ledger as a table, and what may be empty in it. The last file of the program: it judges what ran before.
#include "ledger.hpp"

#include <algorithm>
#include <fstream>
#include <functional>

#include "catch.hpp"

namespace autograd::testing {

Ledger& ledger() {
  static Ledger one;
  return one;
}

std::string Ledger::cell(const std::string& op, Edge edge) const {
  std::string text;
  if (const auto row = cells_.find(op); row != cells_.end())
    if (const auto found = row->second.find(edge); found != row->second.end())
      for (const Check check : found->second) text += static_cast<char>(check);
  return text;
}

std::vector<Edge> edges_of(const Sample& sample) {
  std::set<Edge> edges;
  for (const Shape& shape : sample.inputs) {
    if (shape.rank() == 0) edges.insert(Edge::scalar);
    for (const std::size_t extent : shape)
      edges.insert(extent == 0 ? Edge::empty : extent == 1 ? Edge::one : Edge::plain);
    if (!(shape == sample.inputs[0])) edges.insert(Edge::broadcast);
  }
  return {edges.begin(), edges.end()};
}

namespace {

constexpr const char* columns[] = {"plain",        "scalar",      "extent 1",    "empty",    "shapes differ",
                                   "same operand", "fan-out",     "transposed",  "constant", "zero gradient",
                                   "twice",        "tie or kink", "NaN",         "infinite", "denormal",
                                   "large",        "wrong call",  "wrong handle"};
static_assert(std::size(columns) == static_cast<std::size_t>(Edge::count));

using Names = std::set<std::string>;

/// Why a cell may be empty; an empty text where it may not.
std::string reason(const RegisteredOp& op, Edge edge) {
  static const Names kinked{"pow",    "power",     "sqrt",      "relu",    "abs",        "leaky_relu",
                            "elu",    "hard_tanh", "clip",      "maximum", "minimum",    "where",
                            "masked", "max",       "logsumexp", "softmax", "log_softmax"};
  static const Names losses_with_kinks{"l1_loss", "huber", "smooth_l1_loss", "binary_cross_entropy"};
  static const Names of_gradients{"max_share", "take_adjoint", "gather_adjoint", "assemble"};
  static const Names of_vectors{"outer", "dot"};
  static const Names of_different_shapes{
      "broadcast_to", "concat", "assemble",  "layer_norm",  "tensordot",
      "outer",        "addmm",  "index_add", "scatter_add", "positive_logistic_loss"};
  const std::string name = op.info->name;
  const bool one_operand =
      std::all_of(op.samples.begin(), op.samples.end(), [](const Sample& s) { return s.inputs.size() == 1; });
  switch (edge) {
    case Edge::broadcast:
      if (one_operand) return "It has one operand.";
      if (name == "stack" || name == "dot" || name == "cosine_similarity" || name.find("loss") != std::string::npos ||
          name == "huber" || name == "squared_error" || name == "absolute_error" || name == "weighted" ||
          name == "kl_div" || name == "binary_cross_entropy" || name == "cross_entropy of probabilities")
        return "Its operands must have one shape; that others are refused is under \"wrong call\".";
      break;
    case Edge::same_operand:
      if (one_operand) return "It has one operand.";
      if (of_different_shapes.contains(name)) return "Its operands differ in shape or meaning.";
      break;
    case Edge::constant:
    case Edge::twice:
      if (!op.info->differentiable) return "It passes no gradient.";
      break;
    case Edge::wrong_call:
      if (one_operand && op.errors.empty()) {
        if (of_gradients.contains(name)) return "Only gradients are made of it, with arguments that fit.";
        return "Whatever array it is given fits.";
      }
      break;
    case Edge::transposed:
      if (of_vectors.contains(name)) return "It takes vectors.";
      break;
    case Edge::tie_or_kink:
      if (losses_with_kinks.contains(name))
        return "Its kinks are in the reference vectors, which oracle_conformance runs.";
      if (!kinked.contains(name)) return "It is smooth, moves elements only, or is made of ops that are checked there.";
      break;
    default:
      break;
  }
  return "";
}

}  // namespace

TEST_CASE("the ledger of the op tests has no empty cell without a reason", "[ledger]") {
  // A run of some tests only leaves it unfilled.
  if (ledger().cell("add", Edge::plain).size() < 5 || ledger().cell("add", Edge::wrong_handle).empty() ||
      ledger().cell("relu", Edge::tie_or_kink).empty() || ledger().cell("add", Edge::large).empty())
    return;
  std::ofstream out(WENGERT_LEDGER);
  std::vector<std::string> reasons;
  out << "# Which op was checked in which situation\n\nWritten by `test_ops`. V: value, G: gradient, 2: second order, "
         "S: "
         "both sweeps agree, F: float agrees with double, E: error text. A number is a reason below.\n\n| op |";
  for (const char* column : columns) out << " " << column << " |";
  out << "\n|---|";
  for (std::size_t k = 0; k < std::size(columns); ++k) out << "---|";
  out << "\n";
  for (const RegisteredOp& op : registered_ops()) {
    out << "| " << op.info->name << " |";
    for (int k = 0; k < static_cast<int>(Edge::count); ++k) {
      const Edge edge = static_cast<Edge>(k);
      std::string cell = ledger().cell(op.info->name, edge);
      if (cell.empty()) {
        const std::string why = reason(op, edge);
        INFO(op.info->name << " was not checked: " << columns[k]);
        CHECK_FALSE(why.empty());
        auto known = std::find(reasons.begin(), reasons.end(), why);
        if (known == reasons.end()) known = reasons.insert(reasons.end(), why);
        cell = std::to_string(known - reasons.begin() + 1);
      }
      out << " " << cell << " |";
    }
    out << "\n";
  }
  out << "\n";
  for (std::size_t k = 0; k < reasons.size(); ++k) out << k + 1 << ". " << reasons[k] << "\n";
  CHECK(out.good());
}

}  // namespace autograd::testing
