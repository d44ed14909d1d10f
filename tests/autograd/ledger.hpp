// The ledger of the op tests: which op was checked in which situation, filled in by the tests as they run.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "autograd/tape.hpp"
#include "samples/samples.hpp"

namespace autograd::testing {

/// What an op can be put into. The order is that of the table's columns.
enum class Edge {
  plain,          ///< extents of 2 and more
  scalar,         ///< ()
  one,            ///< an extent of 1
  empty,          ///< an extent of 0
  broadcast,      ///< operands of different shapes
  same_operand,   ///< one variable for all operands
  fan_out,        ///< inputs that others read, too, through slices and reshapes
  transposed,     ///< inputs that come out of a transpose
  constant,       ///< one operand a constant
  zero_gradient,  ///< an output gradient of zeros
  twice,          ///< swept twice
  tie_or_kink,    ///< equal elements, bounds, 0
  not_a_number,   ///< NaN among the inputs
  infinite,       ///< infinities among the inputs
  denormal,       ///< denormal numbers among the inputs
  large,          ///< ±1e3 and ±1e4 among the inputs
  wrong_call,     ///< shapes, axes, indices or options that do not fit
  wrong_handle,   ///< a stale, foreign or empty handle
  count
};

/// How it was checked.
enum class Check : char {
  value = 'V',      ///< against numbers known otherwise
  gradient = 'G',   ///< against the complex step
  second = '2',     ///< the second order against the complex step
  sweeps = 'S',     ///< backward() against grad()
  precision = 'F',  ///< float against double
  text = 'E'        ///< the text of the error, and the tape after it
};

class Ledger {
 public:
  void note(const std::string& op, Edge edge, Check check) { cells_[op][edge].insert(check); }
  /// Every op on the tape.
  template <class T>
  void note(const Tape<T>& tape, Edge edge, Check check) {
    for (std::size_t index = 0; index < tape.size(); ++index)
      if (const Step<T>& step = tape.recording().step(index); step.input_count > 0)
        note(step.op->info->name, edge, check);
  }
  /// The checks of a cell, as their letters.
  std::string cell(const std::string& op, Edge edge) const;

 private:
  std::map<std::string, std::map<Edge, std::set<Check>>> cells_;
};

/// The one of this run.
Ledger& ledger();

/// The situations that the shapes of a sample's inputs are.
std::vector<Edge> edges_of(const Sample& sample);

}  // namespace autograd::testing
