#include "autograd/ops.hpp"
#include "samples.hpp"

namespace autograd::testing {

std::vector<RegisteredOp> softmax_ops() {
  return {{"softmax",
           {{"rows", {{3, 5}}, [](auto x) { return softmax(x[0]); }},
            {"columns", {{2, 3, 4}}, [](auto x) { return softmax(x[0], 1); }}},
           {{{{3, 4}},
             [](auto x) { return softmax(x[0], 2); },
             "softmax: axis 2 is out of range for an array of rank 2; valid axes are -2 to 1"}}},
          {"log_softmax",
           {{"rows", {{3, 5}}, [](auto x) { return log_softmax(x[0]); }},
            {"columns", {{2, 3, 4}}, [](auto x) { return log_softmax(x[0], 0); }}},
           {{{{3}},
             [](auto x) { return log_softmax(x[0], 1); },
             "log_softmax: axis 1 is out of range for an array of rank 1; valid axes are -1 to 0"}}}};
}

}  // namespace autograd::testing
