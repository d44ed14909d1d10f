#include "autograd/graph/attributes.hpp"

#include <algorithm>

#include "autograd/error.hpp"

namespace autograd::detail {

void AttributeSetter::refuse(const char* name, const char* expected) const {
  throw ValueError(std::string(op_) + ": attribute " + name + ": expected " + expected);
}

const GraphAttribute& AttributeSetter::find(const char* name) {
  const auto found = std::find_if(attributes_.begin(), attributes_.end(),
                                  [&](const GraphAttribute& attribute) { return attribute.name == name; });
  if (found == attributes_.end()) throw ValueError(std::string(op_) + ": attribute " + name + " is missing");
  used_.push_back(name);
  return *found;
}

void AttributeSetter::check_all_used() const {
  std::string known;
  for (const std::string& name : used_) known += (known.empty() ? "" : ", ") + name;
  for (const GraphAttribute& attribute : attributes_)
    if (std::count(used_.begin(), used_.end(), attribute.name) == 0)
      throw ValueError(std::string(op_) + ": unknown attribute " + attribute.name +
                       (known.empty() ? "; it has none" : "; it has " + known));
  if (used_.size() != attributes_.size()) throw ValueError(std::string(op_) + ": an attribute is given twice");
}

void AttributeSetter::operator()(const char* name, bool& member) {
  const bool* const value = std::get_if<bool>(&find(name).value);
  if (!value) refuse(name, "true or false");
  member = *value;
}

void AttributeSetter::operator()(const char* name, double& member) {
  const auto& value = find(name).value;
  if (const double* const number = std::get_if<double>(&value))
    member = *number;
  else if (const Index* const whole = std::get_if<Index>(&value))
    member = static_cast<double>(*whole);
  else
    refuse(name, "a number");
}

void AttributeSetter::operator()(const char* name, Index& member) {
  const Index* const value = std::get_if<Index>(&find(name).value);
  if (!value) refuse(name, "a whole number");
  member = *value;
}

void AttributeSetter::operator()(const char* name, std::size_t& member) {
  Index value = 0;
  (*this)(name, value);
  if (value < 0) refuse(name, "a whole number, not negative");
  member = static_cast<std::size_t>(value);
}

std::vector<std::size_t> AttributeSetter::sizes(const char* name) {
  const auto* const list = std::get_if<std::vector<Index>>(&find(name).value);
  if (!list || std::any_of(list->begin(), list->end(), [](Index each) { return each < 0; }))
    refuse(name, "a list of whole numbers, none of them negative");
  return {list->begin(), list->end()};
}

void AttributeSetter::operator()(const char* name, unsigned& axes) {
  axes = 0;
  for (const std::size_t axis : sizes(name)) {
    if (axis >= Shape::max_rank || axes >> axis & 1u) refuse(name, "a list of axes, each of them once");
    axes |= 1u << axis;
  }
}

void AttributeSetter::operator()(const char* name, Shape& member) {
  const std::vector<std::size_t> extents = sizes(name);
  if (extents.size() > Shape::max_rank) refuse(name, "a list of at most 8 whole numbers");
  member = Shape(extents.begin(), extents.end());
}

}  // namespace autograd::detail
