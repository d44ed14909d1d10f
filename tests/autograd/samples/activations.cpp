#include "autograd/ops/activations.hpp"

#include "elementwise.hpp"

namespace autograd::testing {

namespace {
// Made of other ops, but listed under the names users call.
constexpr OpInfo prelu_info{.name = "prelu", .inputs = 2};
constexpr OpInfo selu_info{.name = "selu"};
constexpr OpInfo relu6_info{.name = "relu6", .domain = {-2, 8}};
constexpr OpInfo hard_sigmoid_info{.name = "hard_sigmoid", .domain = {-4, 4}};
constexpr OpInfo hard_swish_info{.name = "hard_swish", .domain = {-4, 4}};
constexpr OpInfo threshold_info{.name = "threshold"};
constexpr OpInfo log_sigmoid_info{.name = "log_sigmoid", .domain = {-4, 4}};
constexpr OpInfo silu_info{.name = "silu", .domain = {-4, 4}};
constexpr OpInfo gelu_info{.name = "gelu", .domain = {-3, 3}};
constexpr OpInfo mish_info{.name = "mish", .domain = {-3, 3}};
constexpr OpInfo softsign_info{.name = "softsign", .domain = {-3, 3}};
constexpr OpInfo tanhshrink_info{.name = "tanhshrink", .domain = {-3, 3}};
constexpr OpInfo glu_info{.name = "glu"};
}  // namespace

std::vector<RegisteredOp> activation_ops() {
  RegisteredOp smooth = elementwise_op<ops::Celu>([](auto x) { return celu(x, 1.5); });
  smooth.errors.push_back({{{3}}, [](auto x) { return celu(x[0], 0); }, "celu: alpha must not be 0"});
  RegisteredOp form = elementwise_op<gelu_info>([](auto x) { return gelu(x); });
  form.also<1>("by tanh", [](auto x) { return gelu(x, Gelu::tanh); });
  return {elementwise_op<ops::LeakyRelu>([](auto x) { return leaky_relu(x, 0.1); }),
          elementwise_op<ops::Elu>([](auto x) { return elu(x, 0.7); }),
          elementwise_op<ops::HardTanh>([](auto x) { return hard_tanh(x, -1, 0.5); }),
          elementwise_op<prelu_info>([](auto x, auto s) { return prelu(x, s); }, does_not_broadcast("mul", 5, 4)),
          smooth,
          elementwise_op<selu_info>([](auto x) { return selu(x); }),
          elementwise_op<relu6_info>([](auto x) { return relu6(x); }),
          elementwise_op<hard_sigmoid_info>([](auto x) { return hard_sigmoid(x); }),
          elementwise_op<hard_swish_info>([](auto x) { return hard_swish(x); }),
          elementwise_op<threshold_info>([](auto x) { return threshold(x, 0.1, 20); }),
          elementwise_op<log_sigmoid_info>([](auto x) { return log_sigmoid(x); }),
          elementwise_op<silu_info>([](auto x) { return silu(x); }),
          form,
          elementwise_op<mish_info>([](auto x) { return mish(x); }),
          elementwise_op<softsign_info>([](auto x) { return softsign(x); }),
          elementwise_op<tanhshrink_info>([](auto x) { return tanhshrink(x); }),
          {glu_info,
           {{"columns", {{3, 8}}, [](auto x) { return glu(x[0]); }},
            {"rows", {{4, 3}}, [](auto x) { return glu(x[0], 0); }}},
           {{{{3, 5}},
             [](auto x) { return glu(x[0]); },
             "split: axis 1 of shape (3, 5) has extent 5, not a multiple of 2"}}}};
}

}  // namespace autograd::testing
