// A step whose result lies in the memory of its operand.
#pragma once

#include "autograd/apply.hpp"

namespace autograd::detail {

/// y = part of x on the same memory.
template <class Rule, class T>
Variable<T> apply_alias(const Rule& rule, Variable<T> x, std::size_t offset) {
  using Table = Table<Rule, T>;
  Recording<T>& recording = recording_of(Rule::info.name, x);
  const SlotId source = recording.check(Rule::info.name, x);
  const Shape* shapes[] = {recording.slot(source).shape};
  const Shape* shape = recording.keep(rule.infer(shapes));
  const SlotId output = recording.new_alias(source, offset, shape, shape->elements());
  recording.push_step(&Table::table, Table::keep(recording, rule), {&source, 1}, output);
  return recording.handle(output);
}

}  // namespace autograd::detail
