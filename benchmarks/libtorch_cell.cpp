#include "libtorch_cell.hpp"

#ifdef WENGERT_WITH_TORCH

#include <torch/torch.h>

#include <memory>
#include <tuple>

namespace benchmark {

std::function<void()> libtorch_cell_step(int input_size, int hidden_size) {
  torch::set_num_threads(1);
  struct State {
    torch::nn::LSTMCell cell;
    torch::Tensor x, h, c;
  };
  auto state =
      std::make_shared<State>(State{torch::nn::LSTMCell(input_size, hidden_size), torch::randn({1, input_size}),
                                    torch::zeros({1, hidden_size}), torch::zeros({1, hidden_size})});
  return [state] {
    const torch::InferenceMode inference;
    std::tie(state->h, state->c) = state->cell->forward(state->x, std::make_tuple(state->h, state->c));
  };
}

}  // namespace benchmark

#else

namespace benchmark {

std::function<void()> libtorch_cell_step(int, int) { return {}; }

}  // namespace benchmark

#endif
