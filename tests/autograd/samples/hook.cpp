#include "autograd/ops.hpp"
#include "samples.hpp"

namespace autograd::testing {

std::vector<RegisteredOp> hook_ops() {
  return {{"hook",
           {{"that changes nothing",
             {{3, 4}},
             []<class X>(X x) {
               using T = typename X::value_type::value_type;
               static const GradientHook<T> same = [](Variable<T> g) { return g; };
               return hook(x[0] * x[0], same);
             }}},
           {{{{3}},
             []<class X>(X x) {
               static const GradientHook<typename X::value_type::value_type> none;
               return hook(x[0], none);
             },
             "hook: the function is empty; pass one that returns a gradient"}}}};
}

}  // namespace autograd::testing
