// What a case may be asked, and the comparison of numbers.
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "autograd/error.hpp"
#include "conformance/conformance.hpp"

namespace conformance {

using autograd::FormatError;

namespace {

std::string precise(double value) {
  std::ostringstream text;
  text.precision(17);
  text << value;
  return text.str();
}

std::string place(std::size_t flat, const Shape& shape) {
  Shape position = shape;
  for (std::size_t axis = shape.rank(); axis-- > 0; flat /= shape[axis]) position[axis] = flat % shape[axis];
  return to_string(position);
}

}  // namespace

double Case::number(const std::string& pointer) const {
  if (case_.json(seen(pointer)) == "inf") return std::numeric_limits<double>::infinity();
  return get<double>(pointer);
}

Array<Index> Case::integers(const std::string& pointer) const {
  const Array<double> values = tensor(pointer);
  Array<Index> result = autograd::make_array<Index>(autograd::shape_of(values));
  for (std::size_t k = 0; k < values.size(); ++k) {
    const double value = values.data()[k];
    if (value != std::floor(value) || std::abs(value) > 1e15)
      throw FormatError("oracle " + name() + ", " + pointer + ": " + precise(value) + " is no index");
    result.data()[k] = static_cast<Index>(value);
  }
  return result;
}

/// An entry of a group is known by the first two parts of a pointer: "/attrs/axis".
const std::string& Case::seen(const std::string& pointer) const {
  const std::size_t second = pointer.find('/', 1);
  if (second != std::string::npos) seen_.insert(pointer.substr(1, pointer.find('/', second + 1) - 1));
  return pointer;
}

std::vector<std::string> Case::unseen(std::span<const char* const> groups) const {
  std::vector<std::string> result;
  for (const std::string group : groups)
    for (const std::string& key : case_.keys("/" + group))
      if (key != "note" && key != "formula" && !seen_.contains(group + "/" + key)) result.push_back(group + "/" + key);
  return result;
}

void Findings::fail(const std::string& text) {
  if (count_++ == 0) first_ = text;
}

std::string Findings::text() const {
  return count_ > 1 ? first_ + " (and " + std::to_string(count_ - 1) + " more)" : first_;
}

void Findings::compare(const std::string& quantity, const Array<double>& got, const Array<double>& expected,
                       Tolerance allowed) {
  const Shape shape = autograd::shape_of(expected);
  if (!(autograd::shape_of(got) == shape))
    return fail(quantity + ": expected shape " + to_string(shape) + ", got " + to_string(autograd::shape_of(got)));
  for (std::size_t k = 0; k < got.size(); ++k) {
    const double a = got.data()[k], b = expected.data()[k];
    if (!(a == b || std::abs(a - b) <= allowed.absolute + allowed.relative * std::abs(b)))
      fail(quantity + " " + place(k, shape) + ": expected " + precise(b) + ", got " + precise(a));
  }
}

void Findings::compare(const std::string& quantity, double got, double expected, Tolerance allowed) {
  compare(quantity, autograd::full<double>({}, got), autograd::full<double>({}, expected), allowed);
}

void Findings::compare(const std::string& quantity, const Array<Index>& got, const Array<Index>& expected) {
  compare(quantity, Array<double>(got), Array<double>(expected), Tolerance{0, 0});
}

std::vector<Variable<double>> compare_gradients(Variable<double> total, std::span<const Variable<double>> inputs,
                                                std::span<const std::string> names, const Case& c,
                                                const std::string& pointer, Tolerance allowed, Findings& findings) {
  Tape<double>& tape = total.tape();
  const bool differentiable = total.needs_gradient();
  if (differentiable) tape.backward(total);
  const std::vector<Variable<double>> gradients = grad(total, inputs);
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    const Array<double> expected = c.tensor(pointer + "/" + names[k]);
    findings.compare(pointer.substr(1) + "/" + names[k], gradients[k].copy(), expected, allowed);
    if (differentiable)
      findings.compare(pointer.substr(1) + "/" + names[k] + " by backward()", tape.gradient(inputs[k]), expected,
                       allowed);
  }
  return gradients;
}

}  // namespace conformance
