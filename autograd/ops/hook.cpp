#include "autograd/ops/hook.hpp"

#include "autograd/apply.hpp"
#include "autograd/ops/arithmetic.hpp"
#include "autograd/registry.hpp"

namespace autograd {

namespace ops {

// y = x,   dx = f(g)
template <class T>
struct Hook {
  static constexpr OpInfo info{.name = "hook", .vjp_reads = Reads::neither};
  const GradientHook<T>* f;

  Shape infer(Shapes inputs) const { return *inputs[0]; }
  template <class V>
  void forward(const ForwardCall<V>& call) const {
    std::copy_n(call.input().data, call.input().size(), call.output().data);
  }
  void vjp(Recorder<T>& call) const { call.add(0, (*f)(call.gradient())); }
};

}  // namespace ops

template <class T>
Variable<T> hook(Variable<T> x, const GradientHook<T>& f) {
  if (!f) throw ValueError("hook: the function is empty; pass one that returns a gradient");
  return apply(ops::Hook<T>{&f}, x);
}

template Variable<float> hook(Variable<float>, const GradientHook<float>&);
template Variable<double> hook(Variable<double>, const GradientHook<double>&);

std::vector<RegisteredOp> hook_ops() {
  return {{&ops::Hook<double>::info,
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

}  // namespace autograd
