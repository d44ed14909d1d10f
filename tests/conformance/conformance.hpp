// The reference vectors as a program runs them: what a case may be asked, and what is found about it.
#pragma once

#include <functional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "autograd/autograd.hpp"
#include "oracle.hpp"

namespace conformance {

using autograd::Array;
using autograd::Index;
using autograd::Shape;
using autograd::Tape;
using autograd::Variable;

/// |got - expected| <= absolute + relative |expected|, as the README of the vectors says.
struct Tolerance {
  double absolute = 1e-12;
  double relative = 1e-11;
};
inline constexpr Tolerance single{}, long_sequence{1e-10, 1e-10}, trajectory{1e-9, 1e-9};

/// One case of a file. It remembers which of its attributes and inputs were asked for: one that nobody knows is a
/// failure, not something to pass over.
class Case {
 public:
  explicit Case(const oracle::Case& json) : case_(json) {}

  const std::string& name() const { return case_.name(); }
  bool has(const std::string& pointer) const { return case_.has(seen(pointer)); }
  Array<double> tensor(const std::string& pointer) const { return case_.tensor(seen(pointer)); }
  template <class Value>
  Value get(const std::string& pointer) const {
    return case_.get<Value>(seen(pointer));
  }
  /// The value, or `otherwise` where it is null or absent.
  template <class Value>
  Value get(const std::string& pointer, Value otherwise) const {
    return has(pointer) ? get<Value>(pointer) : otherwise;
  }
  /// A number, or the text "inf".
  double number(const std::string& pointer) const;
  /// An integer tensor.
  Array<Index> integers(const std::string& pointer) const;
  std::vector<std::string> keys(const std::string& pointer) const { return case_.keys(pointer); }
  std::size_t count(const std::string& pointer) const { return case_.count(seen(pointer)); }
  const nlohmann::json& json(const std::string& pointer) const { return case_.json(seen(pointer)); }

  /// "attrs/slope": entries of `groups` that were not asked for, other than remarks.
  std::vector<std::string> unseen(std::span<const char* const> groups) const;

 private:
  const std::string& seen(const std::string& pointer) const;

  const oracle::Case& case_;
  mutable std::set<std::string> seen_;
};

/// What is found about one case: the first failure in words, and how many there are.
class Findings {
 public:
  void compare(const std::string& quantity, const Array<double>& got, const Array<double>& expected, Tolerance allowed);
  void compare(const std::string& quantity, double got, double expected, Tolerance allowed);
  void compare(const std::string& quantity, const Array<Index>& got, const Array<Index>& expected);
  void fail(const std::string& text);

  bool passed() const { return count_ == 0; }
  std::string text() const;

 private:
  std::size_t count_ = 0;
  std::string first_;
};

/// What is not known here: an op, a module, an option.
struct Unknown : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Runs one case. Throws Unknown, and FormatError for a case that is not what the README describes.
using Run = void (*)(const Case&, Findings&);

void run_op(const Case&, Findings&);
void run_loss(const Case&, Findings&);
void run_optimizer(const Case&, Findings&);
void run_scheduler(const Case&, Findings&);
void run_clipping(const Case&, Findings&);
void run_recurrent(const Case&, Findings&);
void run_cell(const Case&, Findings&);
void run_lstm_variant(const Case&, Findings&);
void run_second_order(const Case&, Findings&);
void run_training(const Case&, Findings&);

/// Compares d(total)/d(input), by backward() and by grad(), with the tensors below `pointer`. Gives grad()'s.
std::vector<Variable<double>> compare_gradients(Variable<double> total, std::span<const Variable<double>> inputs,
                                                std::span<const std::string> names, const Case& c,
                                                const std::string& pointer, Tolerance allowed, Findings& findings);

/// sum(x w).
inline Variable<double> inner(Variable<double> x, const Array<double>& w) { return sum(x * x.tape().constant(w)); }

}  // namespace conformance
