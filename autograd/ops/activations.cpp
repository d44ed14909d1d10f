#include "autograd/ops/activations.hpp"

#include "autograd/ops/on_tape.hpp"
#include "autograd/registry.hpp"

namespace autograd {

void detail::throw_celu() { throw ValueError("celu: alpha must not be 0"); }

template <class T>
Variable<T> glu(Variable<T> x, Index axis) {
  const auto [a, b] = split<2>(x, axis);
  return a * sigmoid(b);
}
template Variable<float> glu(Variable<float>, Index);
template Variable<double> glu(Variable<double>, Index);

template struct detail::OnTape<ops::LeakyRelu>;
template struct detail::OnTape<ops::Elu>;
template struct detail::OnTape<ops::Celu>;
template struct detail::OnTape<ops::HardTanh>;

namespace {
// Made of other ops, but listed under the names users call.
constexpr OpInfo prelu_info{.name = "prelu", .inputs = 2};
constexpr OpInfo selu_info{.name = "selu"};
constexpr OpInfo relu6_info{.name = "relu6"};
constexpr OpInfo hard_sigmoid_info{.name = "hard_sigmoid"};
constexpr OpInfo hard_swish_info{.name = "hard_swish"};
constexpr OpInfo threshold_info{.name = "threshold"};
constexpr OpInfo log_sigmoid_info{.name = "log_sigmoid"};
constexpr OpInfo silu_info{.name = "silu"};
constexpr OpInfo gelu_info{.name = "gelu"};
constexpr OpInfo mish_info{.name = "mish"};
constexpr OpInfo softsign_info{.name = "softsign"};
constexpr OpInfo tanhshrink_info{.name = "tanhshrink"};
constexpr OpInfo glu_info{.name = "glu"};
}  // namespace

std::vector<RegisteredOp> activation_ops() {
  const auto composed = [](const OpInfo& info, Interval domain, auto call) {
    return RegisteredOp{
        &info,
        {{info.name, {{3, 5}}, call, domain}, {info.name, {{}}, call, domain}, {info.name, {{0, 2}}, call, domain}},
        {}};
  };
  RegisteredOp celu = elementwise_op<ops::Celu>([](auto x) { return autograd::celu(x[0], 1.5); });
  celu.errors.push_back({{{3}}, [](auto x) { return autograd::celu(x[0], 0); }, "celu: alpha must not be 0"});
  return {elementwise_op<ops::LeakyRelu>([](auto x) { return leaky_relu(x[0], 0.1); }),
          elementwise_op<ops::Elu>([](auto x) { return elu(x[0], 0.7); }),
          elementwise_op<ops::HardTanh>([](auto x) { return hard_tanh(x[0], -1, 0.5); }),
          {&prelu_info,
           {{"a slope for each column", {{3, 4}, {4}}, [](auto x) { return prelu(x[0], x[1]); }},
            {"one slope", {{3, 4}, {}}, [](auto x) { return prelu(x[0], x[1]); }}},
           {{{{3, 4}, {3}},
             [](auto x) { return prelu(x[0], x[1]); },
             "mul: shapes (3) and (3, 4) do not broadcast: axis 1 has extents 3 and 4; make them equal, or one of them "
             "1"}}},
          celu,
          composed(selu_info, {-2, 2}, [](auto x) { return selu(x[0]); }),
          composed(relu6_info, {-2, 8}, [](auto x) { return relu6(x[0]); }),
          composed(hard_sigmoid_info, {-4, 4}, [](auto x) { return hard_sigmoid(x[0]); }),
          composed(hard_swish_info, {-4, 4}, [](auto x) { return hard_swish(x[0]); }),
          composed(threshold_info, {-2, 2}, [](auto x) { return threshold(x[0], 0.1, 20); }),
          composed(log_sigmoid_info, {-4, 4}, [](auto x) { return log_sigmoid(x[0]); }),
          composed(silu_info, {-4, 4}, [](auto x) { return silu(x[0]); }),
          {&gelu_info,
           {{"exact", {{3, 5}}, [](auto x) { return gelu(x[0]); }, {-3, 3}},
            {"by tanh", {{3, 5}}, [](auto x) { return gelu(x[0], Gelu::tanh); }, {-3, 3}}},
           {}},
          composed(mish_info, {-3, 3}, [](auto x) { return mish(x[0]); }),
          composed(softsign_info, {-3, 3}, [](auto x) { return softsign(x[0]); }),
          composed(tanhshrink_info, {-3, 3}, [](auto x) { return tanhshrink(x[0]); }),
          {&glu_info,
           {{"columns", {{3, 8}}, [](auto x) { return glu(x[0]); }},
            {"rows", {{4, 3}}, [](auto x) { return glu(x[0], 0); }}},
           {{{{3, 5}},
             [](auto x) { return glu(x[0]); },
             "split: axis 1 of shape (3, 5) has extent 5, not a multiple of 2"}}}};
}

}  // namespace autograd
