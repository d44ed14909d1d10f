// What the source files of elementwise families instantiate for each of their rules: the step that the rule becomes.
#pragma once

#include "autograd/apply.hpp"
#include "autograd/ops/shape.hpp"
#include "autograd/values/value.hpp"

namespace autograd::detail {

template <class Rule>
Variable<float> OnTape<Rule, 1>::record(const Rule& rule, Variable<float> x) {
  return apply(rule, x);
}
template <class Rule>
Variable<double> OnTape<Rule, 1>::record(const Rule& rule, Variable<double> x) {
  return apply(rule, x);
}
template <class Rule>
Variable<float> OnTape<Rule, 2>::record(const Rule& rule, Variable<float> a, Variable<float> b) {
  return apply(rule, a, b);
}
template <class Rule>
Variable<double> OnTape<Rule, 2>::record(const Rule& rule, Variable<double> a, Variable<double> b) {
  return apply(rule, a, b);
}
template <class Rule>
Variable<float> OnTape<Rule, 3>::record(const Rule& rule, Variable<float> a, Variable<float> b, Variable<float> c) {
  return apply(rule, a, b, c);
}
template <class Rule>
Variable<double> OnTape<Rule, 3>::record(const Rule& rule, Variable<double> a, Variable<double> b, Variable<double> c) {
  return apply(rule, a, b, c);
}

}  // namespace autograd::detail
